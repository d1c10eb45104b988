function greet() {
  const name = new URLSearchParams(window.location.search).get("name");
  // ruleid: assay.javascript.dom-xss
  document.getElementById("hello").innerHTML = "Hello " + name;
  // ruleid: assay.javascript.dom-xss
  document.write(decodeURIComponent(location.hash));
  // ok: assay.javascript.dom-xss
  document.getElementById("hello").textContent = "Hello " + name;
  // ok: assay.javascript.dom-xss
  document.getElementById("hello").innerHTML = "Hello " + escapeHtml(name);
  // ruleid: assay.javascript.dom-xss
  $("#hello").html(`Hello ${name}`);
}

async function load() {
  const response = await fetch("/api/notes");
  const notes = await response.json();
  const list = document.getElementById("list");
  notes.forEach((note) => {
    // ruleid: assay.javascript.stored-dom-xss
    list.innerHTML += `<li>${note.title}</li>`;
    // ok: assay.javascript.stored-dom-xss
    second.innerHTML += `<li>${escapeHtml(note.title)}</li>`;
    // ok: assay.javascript.stored-dom-xss
    third.innerHTML += `<li>${note.id}</li>`;
    const item = document.createElement("li");
    // ok: assay.javascript.stored-dom-xss
    item.textContent = note.title;
  });
  // ruleid: assay.javascript.stored-dom-xss
  list.innerHTML = notes.map((note) => `<li>${note.title}</li>`).join("");
  // ok: assay.javascript.stored-dom-xss
  list.innerHTML = notes.map((note) => `<li>${escapeHtml(note.title)}</li>`).join("");
  // ok: assay.javascript.stored-dom-xss
  list.innerHTML = "";
}

function loadThen() {
  fetch("/api/user")
    .then((response) => response.json())
    .then((user) => {
      // ruleid: assay.javascript.stored-dom-xss
      document.getElementById("user").innerHTML = "<b>" + user.name + "</b>";
    });
}

app.get("/hello", (req, res) => {
  // ruleid: assay.javascript.reflected-xss
  res.send(`<h1>Hello ${req.query.name}</h1>`);
  // ruleid: assay.javascript.reflected-xss
  res.status(404).send("No page " + req.params.page);
  // ok: assay.javascript.reflected-xss
  res.send(`<h1>Hello ${escapeHtml(req.query.name)}</h1>`);
  // ok: assay.javascript.reflected-xss
  res.send({ name: req.query.name });
  // ok: assay.javascript.reflected-xss
  res.json(req.body);
});

function follow() {
  const next = new URLSearchParams(location.search).get("next");
  // ruleid: assay.javascript.script-url
  window.location.href = next;
  // ok: assay.javascript.script-url
  window.location.href = "/login?next=" + encodeURIComponent(next);
  // ok: assay.javascript.script-url
  window.location.href = `/items/${next}`;
}

// ruleid: assay.javascript.message-origin-not-checked
window.addEventListener("message", (event) => {
  run(event.data);
});
// ok: assay.javascript.message-origin-not-checked
window.addEventListener("message", (event) => {
  if (event.origin !== "https://example.org") return;
  run(event.data);
});
// ruleid: assay.javascript.message-to-any-origin
window.parent.postMessage({ token: token }, "*");
// ok: assay.javascript.message-to-any-origin
window.parent.postMessage({ token: token }, "https://example.org");
// ok: assay.javascript.message-to-any-origin
worker.postMessage({ job: 1 });
