import sqlite3
from flask import Flask, request
from fastapi import FastAPI
from sqlalchemy import text

app = Flask(__name__)
api = FastAPI()


@app.route("/users")
def users():
    db = sqlite3.connect("x.db")
    name = request.args.get("name")
    # ruleid: assay.python.sql-injection
    db.execute("SELECT * FROM users WHERE name = '" + name + "'")
    # ruleid: assay.python.sql-injection
    db.execute(f"SELECT * FROM users WHERE name = '{name}'")
    # ok: assay.python.sql-injection
    db.execute("SELECT * FROM users WHERE name = ?", (name,))
    number = int(request.args["number"])
    # ok: assay.python.sql-injection
    db.execute(f"SELECT * FROM users WHERE id = {number}")


@app.route("/users/<name>")
def by_name(name):
    # ruleid: assay.python.sql-injection
    db.session.execute(text(f"SELECT * FROM users WHERE name = '{name}'"))


@app.route("/users/<int:ident>")
def by_id(ident):
    # ok: assay.python.sql-injection
    db.session.execute(text(f"SELECT * FROM users WHERE id = {ident}"))


@api.get("/items")
async def items(q: str, limit: int = 10):
    # ruleid: assay.python.sql-injection
    rows = await database.execute("SELECT * FROM items WHERE title LIKE '%" + q + "%'")
    # ok: assay.python.sql-injection
    rows = await database.execute(f"SELECT * FROM items LIMIT {limit}")
    return rows


def search(request):
    # ruleid: assay.python.sql-injection
    return Item.objects.raw("SELECT * FROM item WHERE name = '%s'" % request.GET["q"])


class Search(View):
    def post(self, request):
        q = request.POST.get("q")
        with connection.cursor() as cursor:
            # ruleid: assay.python.sql-injection
            cursor.execute("DELETE FROM item WHERE name = '{}'".format(q))
            # ok: assay.python.sql-injection
            cursor.execute("DELETE FROM item WHERE name = %s", [q])


def find(db, name):
    # ruleid: assay.python.sql-string-building
    db.execute(f"SELECT * FROM users WHERE name = '{name}'")
    query = "DELETE FROM users WHERE name = '%s'" % name
    # ruleid: assay.python.sql-string-building
    db.execute(query)
    # ok: assay.python.sql-string-building
    db.execute("SELECT * FROM users WHERE name = ?", (name,))
    # ok: assay.python.sql-string-building
    db.execute("SELECT * FROM users " + "WHERE name = ?", (name,))
    # ok: assay.python.sql-string-building
    runner.execute(f"select the door {name}")


def rename(db, name: str, old="x"):
    # ruleid: assay.python.sql-string-building
    db.execute(f"UPDATE users SET name = '{name}' WHERE name = ?", (old,))


def by_number(db, number: int):
    # ok: assay.python.sql-string-building
    db.execute(f"SELECT * FROM users WHERE id = {number}")


def run(db, statement, table):
    # ok: assay.python.sql-string-building
    db.execute(statement)
    for table in ("a", "b"):
        # ok: assay.python.sql-string-building
        db.execute(f"DELETE FROM {table}")


import asyncio, ast, json, os, shlex, subprocess, ldap
import jinja2
from flask import render_template_string
from lxml import etree


@app.route("/ping")
def ping():
    host = request.args["host"]
    # ruleid: assay.python.command-injection
    os.system("ping -c 1 " + host)
    # ruleid: assay.python.command-injection
    subprocess.run(f"ping -c 1 {host}", shell=True, check=True)
    # ok: assay.python.command-injection
    subprocess.run(["ping", "-c", "1", host], check=True)
    # ok: assay.python.command-injection
    os.system("ping -c 1 " + shlex.quote(host))


def archive(folder, level: int):
    # ruleid: assay.python.shell-string-building
    os.system(f"tar czf out.tgz {folder}")
    # ruleid: assay.python.shell-string-building
    subprocess.run("tar czf out.tgz " + folder, shell=True)
    # ok: assay.python.shell-string-building
    os.system(f"tar czf out.tgz {shlex.quote(folder)}")
    # ok: assay.python.shell-string-building
    os.system(f"gzip -{level} out.tar")
    # ok: assay.python.shell-string-building
    subprocess.run(["tar", "czf", "out.tgz", folder])


@app.post("/calc")
def calc():
    expression = request.get_json()["expression"]
    # ok: assay.python.code-injection
    value = ast.literal_eval(expression)
    # ruleid: assay.python.code-injection
    value = eval(expression)
    # ok: assay.python.code-injection
    other = eval("1 + 1")
    return {"value": value}


@app.route("/hello")
def hello():
    name = request.args.get("name", "world")
    # ruleid: assay.python.template-injection
    page = render_template_string("<h1>Hello " + name + "</h1>")
    # ruleid: assay.python.template-injection
    page = jinja2.Template(f"Hello {name}").render()
    # ok: assay.python.template-injection
    return render_template_string("<h1>Hello {{ name }}</h1>", name=name)


@app.post("/login")
def login():
    body = request.get_json()
    # ruleid: assay.python.nosql-injection
    user = mongo.users.find_one({"name": body["name"], "password": body["password"]})
    # ok: assay.python.nosql-injection
    user = mongo.users.find_one({"name": str(body["name"])})
    # ok: assay.python.nosql-injection
    user = mongo.users.find_one({"name": request.form["name"]})
    return str(user)


@app.post("/directory")
def directory(connection):
    uid = request.form["uid"]
    # ruleid: assay.python.ldap-injection
    connection.search_s("dc=x", ldap.SCOPE_SUBTREE, f"(uid={uid})")
    safe = ldap.filter.escape_filter_chars(uid)
    # ok: assay.python.ldap-injection
    connection.search_s("dc=x", ldap.SCOPE_SUBTREE, f"(uid={safe})")
    tree = etree.parse("users.xml")
    # ruleid: assay.python.xpath-injection
    tree.xpath("//user[@id='" + uid + "']")
    # ok: assay.python.xpath-injection
    tree.xpath("//user[@id=$uid]", uid=uid)
