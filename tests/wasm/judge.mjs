// Runs in Node and in the browser: judges cases with the module's `Files`.
const bytes = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

export function judgeAll(Files, cases, times) {
  const found = {};
  for (const { name, description, files, lent } of cases) {
    const loaded = new Files();
    for (const [file, content] of files) loaded.add(file, bytes(content));
    for (const [file, lender, content] of lent) loaded.lend(file, bytes(lender), bytes(content));
    const json = bytes(description);
    const start = performance.now();
    let judgement = '';
    for (let turn = 0; turn < times; turn += 1) judgement = loaded.judge(json);
    const milliseconds = (performance.now() - start) / times;
    found[name] = { judgement: JSON.parse(judgement), milliseconds };
    loaded.free();
  }
  return found;
}
