import os
import tarfile
import tempfile
import uuid
from pathlib import Path

from fastapi import FastAPI, UploadFile
from fastapi.responses import FileResponse
from flask import Flask, request, send_file, send_from_directory
from werkzeug.utils import secure_filename

app = Flask(__name__)
api = FastAPI()


@app.route("/download")
def download():
    name = request.args["name"]
    # ok: assay.python.path-traversal
    send_from_directory("files", name)
    # ok: assay.python.path-traversal
    send_file(os.path.join("files", secure_filename(name)))
    # ruleid: assay.python.path-traversal
    return send_file(os.path.join("files", name))


@app.route("/read/<path:name>")
def read(name):
    # ruleid: assay.python.path-traversal
    with open("files/" + name) as file:
        return file.read()


@api.get("/raw/{name}")
async def raw(name: str):
    path = (Path("files") / name).resolve()
    if not path.is_relative_to("files"):
        return None
    # ok: assay.python.path-traversal
    return FileResponse(path)


@api.get("/unchecked/{name}")
async def unchecked(name: str):
    # ruleid: assay.python.path-traversal
    return FileResponse(f"files/{name}")


@app.post("/upload")
def upload():
    file = request.files["file"]
    # ok: assay.python.upload-filename-not-sanitised
    file.save(os.path.join("uploads", secure_filename(file.filename)))
    extension = os.path.splitext(file.filename)[1]
    # ok: assay.python.upload-filename-not-sanitised
    file.save(os.path.join("uploads", uuid.uuid4().hex + extension))
    # ruleid: assay.python.upload-filename-not-sanitised
    file.save(os.path.join("uploads", file.filename))
    return "ok"


@api.post("/upload")
async def api_upload(file: UploadFile):
    # ruleid: assay.python.upload-filename-not-sanitised
    with open(f"uploads/{file.filename}", "wb") as out:
        out.write(await file.read())


def unpack(path):
    with tarfile.open(path) as tar:
        # ruleid: assay.python.archive-extracted-unchecked
        tar.extractall("out")
        # ok: assay.python.archive-extracted-unchecked
        tar.extractall("out", filter="data")


def temporary(path):
    # ruleid: assay.python.predictable-temporary-file
    name = tempfile.mktemp()
    # ok: assay.python.predictable-temporary-file
    handle, name = tempfile.mkstemp()
    # ruleid: assay.python.world-writable-file
    os.chmod(path, 0o777)
    # ok: assay.python.world-writable-file
    os.chmod(path, 0o755)
    # ok: assay.python.world-writable-file
    os.chmod(path, 0o640)
