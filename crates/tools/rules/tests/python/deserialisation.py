import base64
import json
import pickle
import socket
import xml.sax

import numpy as np
import torch
import yaml
from flask import Flask, request
from lxml import etree

app = Flask(__name__)


@app.post("/state")
def state():
    raw = base64.b64decode(request.cookies["state"])
    # ruleid: assay.python.unsafe-deserialisation
    value = pickle.loads(raw)
    # ok: assay.python.unsafe-deserialisation
    value = json.loads(raw)
    return str(value)


def serve(connection):
    # ruleid: assay.python.unsafe-deserialisation
    return pickle.loads(connection.recv(4096))


def cached(path):
    with open(path, "rb") as file:
        # ok: assay.python.unsafe-deserialisation
        return pickle.load(file)


def settings(text):
    # ruleid: assay.python.unsafe-yaml-load
    yaml.load(text)
    # ruleid: assay.python.unsafe-yaml-load
    yaml.load(text, Loader=yaml.Loader)
    # ok: assay.python.unsafe-yaml-load
    yaml.load(text, Loader=yaml.SafeLoader)
    # ok: assay.python.unsafe-yaml-load
    return yaml.safe_load(text)


def model(path):
    # ruleid: assay.python.unsafe-model-load
    torch.load(path, weights_only=False)
    # ruleid: assay.python.unsafe-model-load
    np.load(path, allow_pickle=True)
    # ok: assay.python.unsafe-model-load
    return torch.load(path, weights_only=True)


def document(parser):
    # ruleid: assay.python.xml-external-entities
    etree.XMLParser(resolve_entities=True)
    # ok: assay.python.xml-external-entities
    etree.XMLParser(resolve_entities=False, no_network=True)
    # ruleid: assay.python.xml-external-entities
    parser.setFeature(xml.sax.handler.feature_external_ges, True)
    # ok: assay.python.xml-external-entities
    parser.setFeature(xml.sax.handler.feature_external_ges, False)
