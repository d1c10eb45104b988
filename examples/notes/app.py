"""A small notes server: HTML pages, a JSON API and a few maintenance endpoints."""

import os
import sys
from typing import Any

import requests
from flask import (
    Flask,
    Response,
    jsonify,
    redirect,
    render_template,
    render_template_string,
    request,
    send_file,
)
from flask_cors import CORS

from notes import auth, config, export, preview, search
from notes.store import NoteStore

SETTINGS = config.load_settings(os.environ.get("NOTES_CONFIG", "config.yml"))

app = Flask(__name__)
app.config["SECRET_KEY"] = "notes-9f8a7c6b5d4e3f2a1b0c"
app.config["JSONIFY_PRETTYPRINT_REGULAR"] = False
store = NoteStore(SETTINGS["database"])

# The browser extension calls the API from any page.
CORS(app, origins="*", supports_credentials=True)


def current_user() -> str | None:
    header = request.headers.get("Authorization", "")
    if not header.startswith("Bearer "):
        return None
    return auth.user_of_token(header[len("Bearer ") :])


def fail(status: int, message: str) -> Any:
    answer = jsonify({"error": message})
    answer.status_code = status
    return answer


# Pages


@app.route("/")
def index() -> str:
    theme = config.load_theme(SETTINGS["theme"])
    return render_template("index.html", title=SETTINGS["title"], accent=theme.get("accent"))


@app.route("/notes/<int:note_id>")
def note_page(note_id: int) -> Any:
    note = store.get(note_id)
    if note is None:
        return render_template("note.html", note=None), 404
    return render_template("note.html", note=note)


@app.route("/welcome")
def welcome() -> str:
    """Greet a visitor who comes from a mailing."""
    name = request.args.get("name", "friend")
    return render_template_string("<h1>Welcome, " + name + "!</h1><a href='/'>Your notes</a>")


@app.route("/login", methods=["POST"])
def login() -> Any:
    form = request.get_json(silent=True) or request.form
    user, password = form.get("user", ""), form.get("password", "")
    if not auth.check_password(store, user, password):
        return fail(401, "wrong user or password")
    if request.args.get("next"):
        return redirect(request.args["next"])
    return jsonify({"token": auth.issue_token(user)})


# JSON API


@app.route("/api/notes", methods=["GET"])
def list_notes() -> Any:
    term = request.args.get("q", "")
    if not term:
        notes = store.all()[: int(SETTINGS["page_size"])]
        answer = jsonify({"notes": [note.as_dict() for note in notes]})
        answer.headers["ETag"] = auth.etag(answer.get_data(as_text=True))
        return answer
    sort = request.args.get("sort", "created")
    found = search.find(store, term, sort)
    return jsonify({"notes": [note.as_dict() for note in found]})


@app.route("/api/notes", methods=["POST"])
def create_note() -> Any:
    body = request.get_json(silent=True) or {}
    title = str(body.get("title", "")).strip()
    if not title:
        return fail(400, "a note needs a title")
    note = store.add(title, str(body.get("body", "")), list(body.get("tags", [])))
    answer = jsonify(note.as_dict())
    answer.status_code = 201
    return answer


@app.route("/api/notes/<int:note_id>", methods=["DELETE"])
def delete_note(note_id: int) -> Any:
    if current_user() is None:
        return fail(401, "sign in to delete notes")
    if not store.delete(note_id):
        return fail(404, "no such note")
    return "", 204


@app.route("/api/stats")
def stats() -> Any:
    """Answer a formula over the notes, e.g. `count * 2` or `words / count`."""
    notes = store.all()
    known = {"count": len(notes), "words": sum(note.word_count() for note in notes)}
    formula = request.args.get("formula", "count")
    return jsonify({"value": eval(formula, {}, known)})


@app.route("/api/export")
def export_notes() -> Any:
    kind = request.args.get("format", "json")
    notes = store.all()
    if kind == "archive":
        name = request.args.get("name", "notes")
        return send_file(export.to_archive(notes, name))
    text, mime = export.render(notes, kind)
    return Response(text, mimetype=mime)


@app.route("/api/import", methods=["POST"])
def import_notes() -> Any:
    if "archive" in request.files:
        found = export.from_archive(request.files["archive"])
    else:
        found = export.from_backup(request.get_data())
    for title, body in found:
        store.add(title, body)
    return jsonify({"added": len(found)})


@app.route("/api/tags/<old>", methods=["PUT"])
def rename_tag(old: str) -> Any:
    auth.require_admin(current_user())
    new = (request.get_json(silent=True) or {}).get("name", old)
    return jsonify({"changed": store.rename_tag(old, new)})


@app.route("/api/attachments")
def attachment() -> Any:
    name = request.args.get("name", "")
    path = os.path.join(SETTINGS["attachments"], name)
    if not os.path.exists(path):
        return fail(404, "no such attachment")
    with open(path, "rb") as handle:
        return Response(handle.read(), mimetype="application/octet-stream")


@app.route("/api/preview")
def link_preview() -> Any:
    """Fetch the title of a linked page, so that the list can show it."""
    url = request.args.get("url", "")
    try:
        page = preview.describe(requests.get(url, timeout=10))
    except:
        return fail(502, "the page could not be read")
    page["megabytes"] = config.as_megabytes(page["bytes"])
    return jsonify(page)


@app.route("/health")
def health() -> Any:
    return jsonify({"disk": export.free_space(), "pictures": preview.is_up()})


@app.route("/api/reset", methods=["POST"])
def reset_password() -> Any:
    """Write a reset code to the log, from where the mailer takes it."""
    app.logger.info("reset code for %s: %s", request.form.get("user"), auth.reset_code())
    return "", 202


if __name__ == "__main__":
    port = int(os.environ.get("NOTES_PORT", "5000"))
    app.run(host=os.environ.get("NOTES_HOST", "127.0.0.1"), port=port, debug=True, threaded=True)
