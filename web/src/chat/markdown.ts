/** A model's text as elements of the page. The text is hostile: it loads nothing, runs nothing, and leads nowhere without being asked. */
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
// A picture from elsewhere would tell its server who reads, and what: its address is shown instead.
markdown.renderer.rules.image = (tokens, index) => {
  const token = tokens[index];
  const { escapeHtml } = markdown.utils;
  return `<span class="image">${escapeHtml(token?.content ?? '')} [${escapeHtml(String(token?.attrGet('src') ?? ''))}]</span>`;
};

const TAGS =
  'a blockquote br code del em h1 h2 h3 h4 h5 h6 hr li ol p pre s span strong sub sup table tbody td th thead tr ul'.split(' ');

/** Markdown as clean elements. */
export function render(text: string): DocumentFragment {
  return DOMPurify.sanitize(markdown.render(text), {
    ALLOWED_TAGS: TAGS,
    ALLOWED_ATTR: ['href', 'class', 'start'],
    ALLOWED_URI_REGEXP: /^(?:https?:|mailto:)/i,
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    RETURN_DOM_FRAGMENT: true,
  });
}
