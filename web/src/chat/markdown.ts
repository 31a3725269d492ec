/** A model's text as elements of the page. The text is hostile: it loads nothing, runs nothing, and leads nowhere without being asked. */
import { tex } from '@mdit/plugin-tex';
import DOMPurify from 'dompurify';
import hljs from 'highlight.js/lib/core';
import bash from 'highlight.js/lib/languages/bash';
import javascript from 'highlight.js/lib/languages/javascript';
import json from 'highlight.js/lib/languages/json';
import python from 'highlight.js/lib/languages/python';
import rust from 'highlight.js/lib/languages/rust';
import MarkdownIt from 'markdown-it';

for (const [name, language] of Object.entries({ bash, javascript, json, python, rust })) hljs.registerLanguage(name, language);

const markdown = new MarkdownIt({
  html: false,
  linkify: false,
  highlight: (code, language) => (hljs.getLanguage(language) ? hljs.highlight(code, { language }).value : ''),
});
let formula: ((text: string, isBlock: boolean) => string) | undefined;

markdown.use(tex, {
  delimiters: 'all',
  render: (text: string, isBlock: boolean) => formula?.(text.trim(), isBlock) ?? `<code>${markdown.utils.escapeHtml(text)}</code>`,
});

/** Whether a text may have formulas in it that cannot be shown yet. */
export function needsMath(text: string): boolean {
  return formula === undefined && /\$|\\\(|\\\[/.test(text);
}

/** Makes formulas readable from now on. */
export async function loadMath(): Promise<void> {
  ({ formula } = await import('./math'));
}

// A picture from elsewhere would tell its server who reads, and what: its address is shown instead.
markdown.renderer.rules.image = (tokens, index) => {
  const token = tokens[index];
  const { escapeHtml } = markdown.utils;
  return `<span class="image">${escapeHtml(token?.content ?? '')} [${escapeHtml(String(token?.attrGet('src') ?? ''))}]</span>`;
};

const TAGS =
  'a blockquote br code del em h1 h2 h3 h4 h5 h6 hr li ol p pre s span strong sub sup table tbody td th thead tr ul'.split(' ');

/** What KaTeX writes. Links and actions are not among it. */
const MATH =
  'annotation math menclose mfrac mi mlabeledtr mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow ms mspace msqrt mstyle msub msubsup msup mtable mtd mtext mtr munder munderover semantics'.split(
    ' ',
  );
const MATH_ATTRIBUTES =
  'accent accentunder columnalign columnspacing display displaystyle encoding fence form height linethickness lspace mathsize mathvariant maxsize minsize movablelimits notation rowspacing rspace scriptlevel separator stretchy symmetric voffset width xmlns'.split(
    ' ',
  );

/** Markdown as clean elements. */
export function render(text: string): DocumentFragment {
  return DOMPurify.sanitize(markdown.render(text), {
    ALLOWED_TAGS: [...TAGS, ...MATH],
    ALLOWED_ATTR: ['href', 'class', 'start', ...MATH_ATTRIBUTES],
    ALLOWED_URI_REGEXP: /^(?:https?:|mailto:)/i,
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    RETURN_DOM_FRAGMENT: true,
  });
}
