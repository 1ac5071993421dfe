// axe-core on pages of a running Feedmill, in both colour schemes, on a phone and on a desk.
//     axe.js BASE FOLDER-OR-DASH PATH…      Prints a line of JSON for each violation.
const fs = require("fs");
const puppeteer = require("puppeteer-core");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

(async () => {
  const [base, folder, ...paths] = process.argv.slice(2);
  const browser = await puppeteer.launch({
    executablePath: process.env.CHROMIUM, args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
  });
  const page = await browser.newPage();
  // Only so that axe itself may run in the page.
  await page.setBypassCSP(true);
  for (const scheme of ["light", "dark"]) {
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    for (const [width, height] of [[390, 844], [1280, 900]]) {
      await page.setViewport({ width, height });
      for (const path of paths) {
        await page.goto(base + path, { waitUntil: "load" });
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        if (wide > 0) console.log(JSON.stringify({ path, scheme, width, rule: "scrolls sideways", nodes: [`by ${wide} px`] }));
        await page.evaluate(axe);
        const found = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
        for (const { id, nodes } of found.violations) {
          const shown = nodes.slice(0, 3).map((node) => node.html.slice(0, 160) + " " + (node.failureSummary || "").replace(/\s+/g, " ").slice(0, 200));
          console.log(JSON.stringify({ path, scheme, width, rule: id, nodes: shown }));
        }
        if (folder !== "-") await page.screenshot({ path: `${folder}/${(path || "front").replace(/\W+/g, "_")}-${scheme}-${width}.png` });
      }
    }
  }
  await browser.close();
})().catch((error) => { console.log(JSON.stringify({ rule: "axe did not run", nodes: [String(error)] })); });
