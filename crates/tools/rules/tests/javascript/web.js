const express = require("express");
const session = require("express-session");
const cors = require("cors");
const jwt = require("jsonwebtoken");
const axios = require("axios");
const https = require("https");
const path = require("path");
const { BrowserWindow } = require("electron");

const app = express();

app.get("/fetch", async (req, res) => {
  // ruleid: assay.javascript.ssrf
  const page = await fetch(req.query.url);
  // ruleid: assay.javascript.ssrf
  await axios.get(`http://${req.query.host}/status`);
  // ok: assay.javascript.ssrf
  await axios.get(`https://api.example.org/users/${req.query.id}`);
  // ok: assay.javascript.ssrf
  await fetch("https://api.example.org/search?q=" + encodeURIComponent(req.query.q));
  // ok: assay.javascript.ssrf
  await axios.post("https://api.example.org/", { url: req.body.url });
});

app.get("/go", (req, res) => {
  // ruleid: assay.javascript.open-redirect
  res.redirect(req.query.next);
  // ruleid: assay.javascript.open-redirect
  res.redirect(302, req.query.next || "/");
  // ok: assay.javascript.open-redirect
  res.redirect("/items/" + req.params.id);
  // ok: assay.javascript.open-redirect
  res.redirect("/");
});

// ruleid: assay.javascript.cors-any-origin-with-credentials
app.use(cors({ origin: true, credentials: true }));
// ok: assay.javascript.cors-any-origin-with-credentials
app.use(cors({ origin: "https://example.org", credentials: true }));
// ok: assay.javascript.cors-any-origin-with-credentials
app.use(cors());
app.use((req, res, next) => {
  // ruleid: assay.javascript.cors-any-origin-with-credentials
  res.setHeader("Access-Control-Allow-Origin", req.headers.origin);
  // ok: assay.javascript.cors-any-origin-with-credentials
  res.setHeader("Access-Control-Allow-Origin", "https://example.org");
  next();
});

app.post("/login", (req, res) => {
  // ruleid: assay.javascript.insecure-cookie
  res.cookie("token", makeToken(), { maxAge: 1000 });
  // ok: assay.javascript.insecure-cookie
  res.cookie("token", makeToken(), { httpOnly: true, secure: true, sameSite: "lax" });
  // ok: assay.javascript.insecure-cookie
  res.cookie("theme", "dark");
  // ruleid: assay.javascript.hardcoded-signing-secret
  const token = jwt.sign({ id: 1 }, "not-really-a-secret", { expiresIn: "1h" });
  // ok: assay.javascript.hardcoded-signing-secret
  jwt.sign({ id: 1 }, process.env.JWT_SECRET, { expiresIn: "1h" });
  // ruleid: assay.javascript.jwt-not-verified
  jwt.verify(token, key, { algorithms: ["HS256", "none"] });
  // ok: assay.javascript.jwt-not-verified
  jwt.verify(token, key, { algorithms: ["HS256"] });
  // ruleid: assay.javascript.jwt-not-verified
  req.user = jwt.decode(token);
});

// ruleid: assay.javascript.hardcoded-signing-secret
const JWT_SECRET = process.env.JWT_SECRET || "changeme-please";
// ok: assay.javascript.hardcoded-signing-secret
const PORT = process.env.PORT || "3000";

// ruleid: assay.javascript.insecure-cookie
app.use(session({ secret: process.env.SECRET, cookie: { secure: false } }));
// ok: assay.javascript.insecure-cookie
app.use(session({ secret: process.env.SECRET, cookie: { secure: true, httpOnly: true } }));

// ruleid: assay.javascript.tls-not-verified
const agent = new https.Agent({ rejectUnauthorized: false });
// ok: assay.javascript.tls-not-verified
const checked = new https.Agent({ ca: authority });

app.get("/work", async (req, res) => {
  try {
    res.json(await work());
  } catch (err) {
    // ruleid: assay.javascript.error-in-response
    res.status(500).json({ error: err.message });
    // ruleid: assay.javascript.error-in-response
    res.send(err.stack);
    // ok: assay.javascript.error-in-response
    res.status(500).json({ error: "work failed" });
    // ok: assay.javascript.error-in-response
    res.status(400).json({ error: err.message });
  }
});

// ruleid: assay.javascript.source-folder-served
app.use(express.static(__dirname));
// ok: assay.javascript.source-folder-served
app.use(express.static(path.join(__dirname, "public")));

// ruleid: assay.javascript.token-in-web-storage
localStorage.setItem("authToken", token);
// ok: assay.javascript.token-in-web-storage
localStorage.setItem("theme", "dark");

// ruleid: assay.javascript.electron-node-in-page
new BrowserWindow({ width: 800, webPreferences: { nodeIntegration: true } });
// ok: assay.javascript.electron-node-in-page
new BrowserWindow({ width: 800, webPreferences: { contextIsolation: true } });
