/** Files that go with a message, read on this device as text. */
import { Problem } from '../core';
import type { Attachment } from './message-tree';

/** Characters of all files of a message: what fits beside the rest into one record. */
export const MAX_TEXT = 300_000;
/** Bytes of one file. */
const MAX_FILE = 20 << 20;
/** Pages of a PDF. */
const MAX_PAGES = 500;

/** Reads files. Throws where one is no text, or all together are too large. */
export async function readFiles(files: Iterable<File>, before: readonly Attachment[] = []): Promise<readonly Attachment[]> {
  const read = [...before];
  for (const file of files) {
    if (file.size > MAX_FILE) throw new Problem('attachment', `${file.name} is larger than 20 MiB.`);
    const bytes = new Uint8Array(await file.arrayBuffer());
    const isPdf = bytes.length > 4 && String.fromCharCode(...bytes.subarray(0, 5)) === '%PDF-';
    read.push({ name: file.name, text: isPdf ? await pdfText(file.name, bytes) : plainText(file.name, bytes) });
  }
  const length = read.reduce((sum, { text }) => sum + text.length, 0);
  if (length > MAX_TEXT) throw new Problem('attachment', `The files have ${length} characters together; ${MAX_TEXT} can go with a message.`);
  return read;
}

function plainText(name: string, bytes: Uint8Array): string {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    if (!text.includes('\0')) return text;
  } catch {
    // Said below.
  }
  throw new Problem('attachment', `${name} is neither text nor a PDF.`);
}

async function pdfText(name: string, bytes: Uint8Array): Promise<string> {
  // Loaded when the first PDF is: it is as large as all the rest.
  const { textOf } = await import('./pdf');
  const text = await textOf(bytes, MAX_PAGES, MAX_TEXT).catch(() => {
    throw new Problem('attachment', `${name} is a PDF that cannot be read.`);
  });
  if (!text.trim()) throw new Problem('attachment', `${name} has no text: it may be a scan.`);
  return text;
}
