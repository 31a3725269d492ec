/** Formulas, as MathML: no fonts, no styles. Loaded when the first one is shown. */
import katex from 'katex';

/** A formula as MathML. One that is not understood stays as it was written. */
export function formula(text: string, isBlock: boolean): string {
  return katex.renderToString(text, { output: 'mathml', displayMode: isBlock, throwOnError: false, strict: 'ignore', trust: false, maxExpand: 200, maxSize: 20 });
}
