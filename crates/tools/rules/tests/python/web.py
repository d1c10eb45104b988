import flask
import html
import json
import jwt
import requests
import httpx
import jinja2
import traceback
from flask import Flask, request, redirect, url_for, make_response, jsonify
from flask_cors import CORS
from django.http import HttpResponse
from django.utils.safestring import mark_safe
from django.views.decorators.csrf import csrf_exempt
from fastapi import FastAPI, HTTPException
from fastapi.responses import HTMLResponse, RedirectResponse
from markupsafe import escape

app = Flask(__name__)
api = FastAPI()


@app.route("/fetch")
def fetch():
    url = request.args["url"]
    # ruleid: assay.python.ssrf
    page = requests.get(url, timeout=3)
    # ok: assay.python.ssrf
    page = requests.get("https://api.example.org/search?q=" + url, timeout=3)
    # ok: assay.python.ssrf
    page = requests.post("https://api.example.org/", json={"url": url}, timeout=3)
    return page.content


@api.get("/proxy")
async def proxy(url: str):
    async with httpx.AsyncClient() as client:
        # ruleid: assay.python.ssrf
        answer = await client.get(url)
    return answer.json()


@app.route("/go")
def go():
    target = request.args.get("next")
    if target == "home":
        # ok: assay.python.open-redirect
        return redirect(url_for("home"))
    # ruleid: assay.python.open-redirect
    return redirect(target)


@app.route("/back")
def back():
    # ok: assay.python.open-redirect
    return redirect("/items/" + request.args["id"])


@api.get("/leave")
def leave(to: str):
    # ruleid: assay.python.open-redirect
    return RedirectResponse(url=to)


@app.route("/hello")
def hello():
    name = request.args.get("name")
    if not name:
        # ok: assay.python.reflected-xss
        return f"<h1>Hello {escape(name)}</h1>"
    # ruleid: assay.python.reflected-xss
    return f"<h1>Hello {name}</h1>"


@app.route("/hello/<name>")
def hello_name(name):
    # ruleid: assay.python.reflected-xss
    return "<h1>Hello " + name + "</h1>", 200


@app.route("/double/<int:n>")
def double(n):
    # ok: assay.python.reflected-xss
    return f"<b>{n * 2}</b>"


@app.route("/json")
def as_json():
    # ok: assay.python.reflected-xss
    return jsonify(name=request.args["name"])


def django_view(request):
    # ok: assay.python.reflected-xss
    HttpResponse(html.escape(request.GET["q"]))
    # ruleid: assay.python.reflected-xss
    return HttpResponse("You searched " + request.GET["q"])


@api.get("/page")
def page(title: str):
    # ruleid: assay.python.reflected-xss
    return HTMLResponse(f"<title>{title}</title>")


@app.post("/users")
def create_user():
    data = request.get_json()
    # ok: assay.python.mass-assignment
    user = User(name=data["name"])
    # ruleid: assay.python.mass-assignment
    user = User(**data)
    for key, value in data.items():
        # ruleid: assay.python.mass-assignment
        setattr(user, key, value)
    for key, value in data.items():
        if key in ("name", "email"):
            # ok: assay.python.mass-assignment
            setattr(user, key, value)
    # ok: assay.python.mass-assignment
    checked = UserSchema(**data)
    return "ok"


@csrf_exempt_not
def fine(request):
    # ok: assay.python.csrf-disabled
    return HttpResponse("ok")


# ruleid: assay.python.csrf-disabled
@csrf_exempt
def hook(request):
    return HttpResponse("ok")


# ruleid: assay.python.csrf-disabled
app.config["WTF_CSRF_ENABLED"] = False
# ok: assay.python.csrf-disabled
app.config["WTF_CSRF_ENABLED"] = True

# ruleid: assay.python.cors-any-origin-with-credentials
CORS(app, supports_credentials=True)
# ruleid: assay.python.cors-any-origin-with-credentials
CORS(app, origins="*", supports_credentials=True)
# ok: assay.python.cors-any-origin-with-credentials
CORS(app, origins=["https://example.org"], supports_credentials=True)
# ok: assay.python.cors-any-origin-with-credentials
CORS(app)
# ruleid: assay.python.cors-any-origin-with-credentials
api.add_middleware(CORSMiddleware, allow_origins=["*"], allow_credentials=True, allow_methods=["*"])
# ok: assay.python.cors-any-origin-with-credentials
api.add_middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["*"])


@app.post("/login")
def login():
    response = make_response("ok")
    # ruleid: assay.python.insecure-cookie
    response.set_cookie("session_id", new_session())
    # ok: assay.python.insecure-cookie
    response.set_cookie("session_id", new_session(), httponly=True, secure=True, samesite="Lax")
    # ok: assay.python.insecure-cookie
    response.set_cookie("theme", "dark")
    return response


# ruleid: assay.python.insecure-cookie
app.config["SESSION_COOKIE_HTTPONLY"] = False
# ok: assay.python.insecure-cookie
app.config["SESSION_COOKIE_SECURE"] = True


def claims(token, key):
    # ruleid: assay.python.jwt-not-verified
    jwt.decode(token, options={"verify_signature": False})
    # ruleid: assay.python.jwt-not-verified
    jwt.decode(token, key, algorithms=["HS256", "none"])
    # ok: assay.python.jwt-not-verified
    return jwt.decode(token, key, algorithms=["HS256"])


@app.route("/work")
def work():
    try:
        return jsonify(result=do_work())
    except ValueError as error:
        # ok: assay.python.exception-in-response
        return jsonify({"error": str(error)}), 400
    except Exception as error:
        if app.testing:
            # ruleid: assay.python.exception-in-response
            return traceback.format_exc(), 500
        # ruleid: assay.python.exception-in-response
        return jsonify({"error": str(error)}), 500


@api.get("/work")
def api_work():
    try:
        return do_work()
    except Exception as error:
        log.exception("work failed")
        if flag:
            # ok: assay.python.exception-in-response
            raise HTTPException(status_code=500, detail="work failed")
        # ruleid: assay.python.exception-in-response
        raise HTTPException(status_code=500, detail=f"failed: {error}")


# ruleid: assay.python.jinja2-autoescape-disabled
env = jinja2.Environment(loader=loader, autoescape=False)
# ok: assay.python.jinja2-autoescape-disabled
env = jinja2.Environment(loader=loader, autoescape=jinja2.select_autoescape())

if __name__ == "__main__":
    # ruleid: assay.python.flask-debug-enabled
    app.run(host="127.0.0.1", debug=True)
    # ok: assay.python.flask-debug-enabled
    app.run(host="127.0.0.1")

# A Django settings module, as one file for brevity.
# ruleid: assay.python.django-debug-true
DEBUG = True
# ok: assay.python.django-debug-true
DEBUG = os.environ.get("DEBUG") == "1"
INSTALLED_APPS = ["django.contrib.admin"]
ROOT_URLCONF = "site.urls"
# ruleid: assay.python.django-unsafe-settings
ALLOWED_HOSTS = ["*"]
# ruleid: assay.python.django-unsafe-settings
SESSION_COOKIE_SECURE = False
# ok: assay.python.django-unsafe-settings
CSRF_COOKIE_SECURE = True
# ok: assay.python.django-unsafe-settings
ALLOWED_HOSTS = ["example.org"]

# ok: assay.python.flask-debug-enabled
other.debug = True
# ruleid: assay.python.flask-debug-enabled
main.debug = True
if __name__ == "__main__":
    main.run()
