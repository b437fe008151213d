import { existsSync } from "node:fs";
import { createRequire } from "node:module";

/**
 * Playwright's Chromium, and the program that it is to start, for a test whose import.meta.url is `test`: its packages
 * are those of the test's page. Without a browser or playwright-core the process says so and exits with 77, or with 1
 * where CONTINUO_REQUIRE_BROWSER is set.
 */
export function findChromium(test) {
  const skip = (reason) => {
    console.log(
      `skipped: ${reason} (tools/bootstrap.sh --page-tests installs it)`,
    );
    process.exit(process.env.CONTINUO_REQUIRE_BROWSER ? 1 : 77);
  };
  const executablePath = [
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
    process.env.CONTINUO_CHROMIUM,
  ]
    .filter((path) => path && existsSync(path))
    .pop();
  if (!executablePath) skip("no Chromium, which CONTINUO_CHROMIUM may name");
  const require = createRequire(test);
  let playwright = null;
  try {
    playwright = require.resolve("playwright-core");
  } catch {
    skip("no playwright-core");
  }
  return { chromium: require(playwright).chromium, executablePath };
}
