/** The text of a PDF, read on this device. Nothing that is in one runs, and nothing is fetched for one. */
import { getDocument, GlobalWorkerOptions } from 'pdfjs-dist';
import worker from 'pdfjs-dist/build/pdf.worker.min.mjs?url';

/** The text of at most so many pages and characters. */
export async function textOf(bytes: Uint8Array, maxPages: number, maxLength: number): Promise<string> {
  GlobalWorkerOptions.workerPort ??= startWorker();
  const task = getDocument({ data: bytes, isEvalSupported: false, enableXfa: false, disableFontFace: true, useSystemFonts: false, useWasm: false, stopAtErrors: false });
  const document = await task.promise;
  try {
    let text = '';
    for (let number = 1; number <= Math.min(document.numPages, maxPages) && text.length <= maxLength; number += 1) {
      const { items } = await (await document.getPage(number)).getTextContent();
      for (const item of items) if ('str' in item) text += item.hasEOL ? `${item.str}\n` : item.str;
      text += '\n\n';
    }
    return text.trim();
  } finally {
    await task.destroy();
  }
}

interface Types {
  createPolicy(name: string, rules: { createScriptURL: (url: string) => string }): { createScriptURL(url: string): string };
}

function startWorker(): Worker {
  const { trustedTypes } = window as unknown as { trustedTypes?: Types };
  const policy = trustedTypes?.createPolicy('subrosa-pdf', {
    createScriptURL(url) {
      if (url !== worker) throw new TypeError('not the worker');
      return url;
    },
  });
  return new Worker(policy?.createScriptURL(worker) ?? worker, { type: 'module' });
}
