const crypto = require("crypto");
const bcrypt = require("bcrypt");

async function store(password, body) {
  // ruleid: assay.javascript.weak-password-hash
  crypto.createHash("sha256").update(password).digest("hex");
  // ruleid: assay.javascript.weak-password-hash
  crypto.createHash("md5").update(salt + password).digest("hex");
  // ok: assay.javascript.weak-password-hash
  crypto.createHash("sha256").update(body).digest("hex");
  // ok: assay.javascript.weak-password-hash
  await bcrypt.hash(password, 12);
  // ruleid: assay.javascript.cheap-bcrypt
  await bcrypt.hash(password, 5);
  // ok: assay.javascript.cheap-bcrypt
  await bcrypt.hash(password, 12);
}

function login(user, form, password, confirmPassword) {
  // ok: assay.javascript.plaintext-password-comparison
  if (form.password !== confirmPassword) return false;
  // ok: assay.javascript.plaintext-password-comparison
  if (user.password !== form.confirmPassword) return false;
  // ruleid: assay.javascript.plaintext-password-comparison
  return user.password === password;
}

// ruleid: assay.javascript.predictable-token
const resetToken = Math.random().toString(36).slice(2);
// ok: assay.javascript.predictable-token
const sessionId = crypto.randomUUID();
// ok: assay.javascript.predictable-token
const colour = colours[Math.floor(Math.random() * colours.length)];

function generateOtp() {
  // ruleid: assay.javascript.predictable-token
  return Math.floor(100000 + Math.random() * 900000);
}

function encrypt(key, text) {
  // ruleid: assay.javascript.weak-cipher
  crypto.createCipheriv("aes-256-ecb", key, null);
  // ruleid: assay.javascript.weak-cipher
  crypto.createCipher("aes192", key);
  // ok: assay.javascript.weak-cipher
  crypto.createCipheriv("aes-256-gcm", key, crypto.randomBytes(12));
  // ruleid: assay.javascript.constant-key-or-iv
  crypto.createCipheriv("aes-256-cbc", key, Buffer.alloc(16, 0));
  // ruleid: assay.javascript.constant-key-or-iv
  CryptoJS.AES.encrypt(text, "secret key 123");
  // ok: assay.javascript.constant-key-or-iv
  crypto.createCipheriv("aes-256-cbc", key, crypto.randomBytes(16));
}

function webhook(req, key) {
  const expected = crypto.createHmac("sha256", key).update(req.rawBody).digest("hex");
  const given = req.get("x-signature");
  // ok: assay.javascript.signature-compared-in-variable-time
  if (given.length !== expected.length) return false;
  // ok: assay.javascript.signature-compared-in-variable-time
  crypto.timingSafeEqual(Buffer.from(expected), Buffer.from(given));
  // ruleid: assay.javascript.signature-compared-in-variable-time
  return expected === given;
}
