const express = require("express");
const { exec, execFile } = require("child_process");
const vm = require("vm");
const ejs = require("ejs");

const app = express();

app.get("/users", async (req, res) => {
  const name = req.query.name;
  // ruleid: assay.javascript.sql-injection
  await pool.query("SELECT * FROM users WHERE name = '" + name + "'");
  // ruleid: assay.javascript.sql-injection
  db.all(`SELECT * FROM users WHERE name = '${name}'`, (err, rows) => res.json(rows));
  // ok: assay.javascript.sql-injection
  await pool.query("SELECT * FROM users WHERE name = ?", [name]);
  const page = parseInt(req.query.page, 10);
  // ok: assay.javascript.sql-injection
  await pool.query(`SELECT * FROM users LIMIT ${page}`);
  // ruleid: assay.javascript.sql-injection
  await prisma.$queryRawUnsafe(`SELECT * FROM users WHERE name = '${name}'`);
});

function findUser(name, limit) {
  // ruleid: assay.javascript.sql-string-building
  db.query(`SELECT * FROM users WHERE name = '${name}'`);
  const sql = "DELETE FROM users WHERE name = '" + name + "'";
  // ruleid: assay.javascript.sql-string-building
  db.query(sql);
  // ok: assay.javascript.sql-string-building
  db.query("SELECT * FROM users WHERE name = ?", [name]);
  // ok: assay.javascript.sql-string-building
  db.query(`SELECT * FROM users LIMIT ${Number(limit)}`);
  // ok: assay.javascript.sql-string-building
  cache.get("user:" + name);
}

app.get("/ping", (req, res) => {
  const { host } = req.query;
  // ruleid: assay.javascript.command-injection
  exec(`ping -c 1 ${host}`, (err, out) => res.send(out));
  // ok: assay.javascript.command-injection
  execFile("ping", ["-c", "1", host], (err, out) => res.type("text").send(out));
});

app.post("/calc", (req, res) => {
  // ruleid: assay.javascript.code-injection
  const value = eval(req.body.expression);
  // ruleid: assay.javascript.code-injection
  vm.runInNewContext(req.body.expression, {});
  // ok: assay.javascript.code-injection
  res.json(JSON.parse(req.body.expression));
});

app.post("/login", async (req, res) => {
  const { name, password } = req.body;
  // ruleid: assay.javascript.nosql-injection
  const user = await User.findOne({ name: name, password: password });
  // ruleid: assay.javascript.nosql-injection
  await User.findOne({ name: req.body.name });
  // ok: assay.javascript.nosql-injection
  await User.findOne({ name: String(req.body.name) });
  // ok: assay.javascript.nosql-injection
  await User.findOne({ where: { name: req.body.name } });
  // ok: assay.javascript.nosql-injection
  items.find((item) => item.id === req.body.id);
});

app.get("/hello", (req, res) => {
  // ruleid: assay.javascript.template-injection
  res.send(ejs.render("<h1>Hello " + req.query.name + "</h1>"));
  // ok: assay.javascript.template-injection
  res.send(ejs.render("<h1>Hello <%= name %></h1>", { name: req.query.name }));
  // ruleid: assay.javascript.template-injection
  res.render("page", req.query);
});

app.get("/search", async (req, res) => {
  // ruleid: assay.javascript.regex-from-request
  const pattern = new RegExp(req.query.q, "i");
  const escaped = req.query.q.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  // ok: assay.javascript.regex-from-request
  const safe = new RegExp(escaped, "i");
  res.json(await Item.find({ title: safe }));
});
