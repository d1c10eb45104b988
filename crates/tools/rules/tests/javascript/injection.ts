import { Request, Response } from "express";
import { exec } from "child_process";

export async function list(req: Request, res: Response): Promise<void> {
  const name: string = req.query.name as string;
  // ruleid: assay.javascript.sql-injection
  await pool.query(`SELECT * FROM users WHERE name = '${name}'`);
  // ok: assay.javascript.sql-injection
  await pool.query("SELECT * FROM users WHERE name = $1", [name]);
  // ruleid: assay.javascript.command-injection
  exec("ls " + name);
  res.end();
}

function byName(name: string, id: number): void {
  // ruleid: assay.javascript.sql-string-building
  db.query(`SELECT * FROM users WHERE name = '${name}'`);
  // ok: assay.javascript.sql-string-building
  db.query(`SELECT * FROM users WHERE id = ${id}`);
}
