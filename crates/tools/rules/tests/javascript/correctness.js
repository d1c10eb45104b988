const bcrypt = require("bcrypt");

async function login(user, password) {
  // ruleid: assay.javascript.password-check-not-awaited
  if (bcrypt.compare(password, user.hash)) {
    return true;
  }
  // ruleid: assay.javascript.password-check-not-awaited
  if (!bcrypt.compare(password, user.hash)) return false;
  // ok: assay.javascript.password-check-not-awaited
  if (await bcrypt.compare(password, user.hash)) {
    return true;
  }
  // ok: assay.javascript.password-check-not-awaited
  return bcrypt.compare(password, user.hash);
}

async function each(list) {
  // ruleid: assay.javascript.async-foreach
  list.forEach(async (item) => {
    await save(item);
  });
  // ok: assay.javascript.async-foreach
  await Promise.all(list.map(async (item) => save(item)));
  // ok: assay.javascript.async-foreach
  list.forEach((item) => save(item));
  // ruleid: assay.javascript.async-filter
  const kept = list.filter(async (item) => await allowed(item));
  // ok: assay.javascript.async-filter
  return list.filter((item) => item.allowed);
}
