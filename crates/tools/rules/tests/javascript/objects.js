const _ = require("lodash");

app.post("/settings", (req, res) => {
  const { section, key, value } = req.body;
  // ruleid: assay.javascript.prototype-pollution
  settings[section][key] = value;
  // ruleid: assay.javascript.prototype-pollution
  _.merge(settings, req.body);
  // ok: assay.javascript.prototype-pollution
  settings.theme[Number(key)] = value;
  // ok: assay.javascript.prototype-pollution
  store.set(key, value);
});

function merge(target, source) {
  for (const key in source) {
    if (typeof source[key] === "object") {
      // ruleid: assay.javascript.unguarded-deep-merge
      merge(target[key], source[key]);
    } else {
      target[key] = source[key];
    }
  }
  return target;
}

function safeMerge(target, source) {
  for (const key in source) {
    if (key === "__proto__" || key === "constructor") continue;
    if (typeof source[key] === "object") {
      // ok: assay.javascript.unguarded-deep-merge
      safeMerge(target[key], source[key]);
    } else {
      target[key] = source[key];
    }
  }
}

function copy(target, source) {
  for (const key in source) {
    // ok: assay.javascript.unguarded-deep-merge
    target[key] = source[key];
  }
}

app.post("/users", async (req, res) => {
  // ruleid: assay.javascript.mass-assignment
  const user = await User.create(req.body);
  // ruleid: assay.javascript.mass-assignment
  Object.assign(user, req.body);
  // ok: assay.javascript.mass-assignment
  await User.create({ name: req.body.name, email: req.body.email });
  // ok: assay.javascript.mass-assignment
  await User.create(UserInput.parse(req.body));
  // ok: assay.javascript.mass-assignment
  const copyOfBody = Object.assign({}, req.body);
  // ruleid: assay.javascript.mass-assignment
  await User.findByIdAndUpdate(req.params.id, req.body);
});
