const express = require("express");
const app = express();
app.get("/", (req, res) => {
  const answer = eval(req.query.formula);
  res.send(String(answer));
});
