// Runs client-vscode/test/*.test.ts with Node's own test runner. Only modules that do not need the
// editor are tested here; the rest is tested in a real VS Code (tests/e2e/vscode).
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { build } from "esbuild";

const names = readdirSync("client-vscode/test").filter((name) => name.endsWith(".test.ts"));
const outdir = "client-vscode/out/test";
await build({
  entryPoints: names.map((name) => `client-vscode/test/${name}`),
  outdir,
  bundle: true,
  platform: "node",
  format: "cjs",
  target: "node20",
  external: ["vscode"],
  logLevel: "warning",
});
const files = names.map((name) => `${outdir}/${name.replace(/\.ts$/, ".js")}`);
process.exitCode = spawnSync(process.execPath, ["--test", ...files], { stdio: "inherit" }).status;
