const fs = require("fs");
const path = require("path");
const multer = require("multer");
const yaml = require("js-yaml");
const serialize = require("node-serialize");
const libxml = require("libxmljs");

app.get("/download", (req, res) => {
  const file = path.join(__dirname, "files", req.query.name);
  // ruleid: assay.javascript.path-traversal
  fs.readFile(file, (err, data) => res.send(data));
  // ruleid: assay.javascript.path-traversal
  res.sendFile(file);
  // ok: assay.javascript.path-traversal
  res.sendFile(req.query.name, { root: path.join(__dirname, "files") });
  // ok: assay.javascript.path-traversal
  fs.readFileSync(path.join("files", path.basename(req.query.name)));
  const resolved = path.resolve("files", req.query.name);
  if (!resolved.startsWith(root)) return;
  // ok: assay.javascript.path-traversal
  fs.createReadStream(resolved).pipe(res);
});

multer.diskStorage({
  destination: "uploads",
  filename: (req, file, cb) => {
    // ruleid: assay.javascript.upload-filename-not-sanitised
    cb(null, file.originalname);
  },
});
multer.diskStorage({
  destination: "uploads",
  filename: (req, file, cb) => {
    // ok: assay.javascript.upload-filename-not-sanitised
    cb(null, crypto.randomUUID() + path.extname(file.originalname));
  },
});

zip.on("entry", (entry) => {
  // ruleid: assay.javascript.archive-entry-path
  entry.pipe(fs.createWriteStream(path.join("out", entry.path)));
  const target = path.resolve("out", entry.path);
  if (!target.startsWith(root)) return;
  // ok: assay.javascript.archive-entry-path
  entry.pipe(fs.createWriteStream(target));
});

function read(text) {
  // ruleid: assay.javascript.unsafe-deserialisation
  serialize.unserialize(text);
  // ruleid: assay.javascript.unsafe-deserialisation
  eval("(" + text + ")");
  // ok: assay.javascript.unsafe-deserialisation
  yaml.load(text);
  // ok: assay.javascript.unsafe-deserialisation
  JSON.parse(text);
  // ruleid: assay.javascript.xml-external-entities
  libxml.parseXml(text, { noent: true });
  // ok: assay.javascript.xml-external-entities
  libxml.parseXml(text);
}
