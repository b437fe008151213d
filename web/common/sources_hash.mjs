import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * SHA-256 of all that a built page is made of; it stands in the page, so that a stale one can be told without building.
 * `page` is the page's folder, `files` are what it is made of besides its src/ and web/common.
 */
export function sourcesHash(page, files) {
  const list = (folder) =>
    readdirSync(join(page, folder), { recursive: true })
      .map((name) => String(name).replaceAll("\\", "/"))
      .filter(
        (name) =>
          /\.(js|ts|tsx|css|html)$/.test(name) && !name.endsWith(".d.ts"),
      )
      .sort()
      .map((name) => `${folder}/${name}`);
  const hash = createHash("sha256");
  for (const name of [...files, ...list("src"), ...list("../common")])
    hash
      .update(`${name}\0`)
      .update(readFileSync(join(page, name)))
      .update("\0");
  return hash.digest("hex");
}
