//! A small, strict reader of XML 1.0 with namespaces.
//!
//! It knows elements, attributes and text, the five named references and numeric ones. Whatever else XML has, document
//! types, entities, comments, processing instructions, `CDATA` and names beyond ASCII, is refused: reference manifests
//! use none of it, and each is a known way to make two readers see two documents.

/// An element; `prefix` and `local` are its name as written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Element {
    pub(super) name: QName,
    pub(super) namespace: String,
    /// Namespace declarations written on this element: prefix (empty for the default) and URI.
    pub(super) declarations: Vec<(String, String)>,
    pub(super) attributes: Vec<Attribute>,
    pub(super) children: Vec<Node>,
}

impl Element {
    /// Whether this is the element `local` of a namespace.
    pub(super) fn is(&self, namespace: &str, local: &str) -> bool {
        self.namespace == namespace && self.name.local == local
    }

    /// The value of an attribute; attributes without a prefix have no namespace.
    pub(super) fn attribute(&self, namespace: &str, local: &str) -> Option<&str> {
        let mut found = self.attributes.iter();
        let found = found.find(|one| one.namespace == namespace && one.name.local == local);
        found.map(|attribute| attribute.value.as_str())
    }

    /// The child elements. `None` if there is text other than white space between them.
    pub(super) fn elements(&self) -> Option<Vec<&Self>> {
        let mut elements = Vec::new();
        for child in &self.children {
            match child {
                Node::Element(element) => elements.push(element),
                Node::Text(text) if text.trim_matches(SPACE).is_empty() => {}
                Node::Text(_) => return None,
            }
        }
        Some(elements)
    }

    /// The text of an element that contains nothing else.
    pub(super) fn text(&self) -> Option<&str> {
        match self.children.as_slice() {
            [Node::Text(text)] => Some(text),
            _ => None,
        }
    }
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Node {
    Element(Element),
    Text(String),
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Attribute {
    pub(super) name: QName,
    pub(super) namespace: String,
    pub(super) value: String,
}

/// A name as written; the prefix may be empty.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct QName {
    pub(super) prefix: String,
    pub(super) local: String,
}

impl QName {
    fn parse(text: &str) -> Option<Self> {
        let (prefix, local) = match text.split_once(':') {
            Some((prefix, local)) => (is_name(prefix).then_some(prefix)?, local),
            None => ("", text),
        };
        is_name(local).then(|| Self {
            prefix: prefix.to_owned(),
            local: local.to_owned(),
        })
    }

    /// The name as it was written.
    pub(super) fn written(&self) -> String {
        if self.prefix.is_empty() {
            self.local.clone()
        } else {
            format!("{}:{}", self.prefix, self.local)
        }
    }
}

/// Reads a document. `None` if it is not well formed, or uses what this reader refuses.
pub(super) fn parse(document: &str) -> Option<Element> {
    if !document.chars().all(is_xml_char) {
        return None;
    }
    // XML 1.0, section 2.11: line ends are line feeds.
    let document = document.replace("\r\n", "\n").replace('\r', "\n");
    let mut parser = Parser {
        rest: after_declaration(&document)?.trim_start_matches(SPACE),
        open: Vec::new(),
        elements: 0,
    };
    let root = loop {
        if let Some(root) = parser.step()? {
            break root;
        }
    };
    parser.rest.trim_matches(SPACE).is_empty().then_some(root)
}

/// Skips `<?xml …?>` (XML 1.0, section 2.8), which names version 1.0 and no other encoding than UTF-8.
fn after_declaration(document: &str) -> Option<&str> {
    let Some(after) = document.strip_prefix("<?xml") else {
        return Some(document);
    };
    let (declaration, rest) = after.split_once("?>")?;
    let words: Vec<_> = declaration.split_ascii_whitespace().collect();
    let is_spaced = declaration.starts_with(SPACE);
    let declaration = words.join(" ").replace('\'', "\"").to_ascii_lowercase();
    (is_spaced && DECLARATIONS.contains(&declaration.as_str())).then_some(rest)
}

struct Parser<'a> {
    rest: &'a str,
    open: Vec<Element>,
    elements: usize,
}

impl<'a> Parser<'a> {
    /// Reads one tag or one text; gives the root back once it is closed.
    #[expect(
        clippy::option_option,
        reason = "the outer one is malformed input, the inner one is not finished"
    )]
    fn step(&mut self) -> Option<Option<Element>> {
        if let Some(after) = self.rest.strip_prefix("</") {
            let (name, rest) = after.split_once('>')?;
            self.rest = rest;
            let element = self.open.pop()?;
            (element.name.written() == name.trim_end_matches(SPACE)).then_some(())?;
            return Some(self.close(element));
        }
        if let Some(after) = self.rest.strip_prefix('<') {
            self.rest = after;
            let (element, is_empty) = self.start_tag()?;
            if is_empty {
                return Some(self.close(element));
            }
            (self.open.len() < MAX_DEPTH).then_some(())?;
            self.open.push(element);
            return Some(None);
        }
        let (text, _) = self.rest.split_once('<')?;
        self.rest = self.rest.strip_prefix(text)?;
        let is_plain = !text.is_empty() && !text.contains("]]>");
        let text = is_plain.then(|| unescape(text))??;
        self.open.last_mut()?.children.push(Node::Text(text));
        Some(None)
    }

    /// Gives a finished element to its parent, or back if it has none.
    fn close(&mut self, element: Element) -> Option<Element> {
        match self.open.last_mut() {
            Some(parent) => {
                parent.children.push(Node::Element(element));
                None
            }
            None => Some(element),
        }
    }

    /// Reads a start tag behind its `<`, and whether it is an empty element.
    fn start_tag(&mut self) -> Option<(Element, bool)> {
        self.elements = self
            .elements
            .checked_add(1)
            .filter(|&n| n <= MAX_ELEMENTS)?;
        let name = QName::parse(self.take_name()?)?;
        let mut declarations: Vec<(String, String)> = Vec::new();
        let mut attributes = Vec::new();
        let is_empty = loop {
            let trimmed = self.rest.trim_start_matches(SPACE);
            let had_space = trimmed.len() != self.rest.len();
            self.rest = trimmed;
            if let Some(rest) = self.rest.strip_prefix("/>") {
                self.rest = rest;
                break true;
            }
            if let Some(rest) = self.rest.strip_prefix('>') {
                self.rest = rest;
                break false;
            }
            (had_space && attributes.len().max(declarations.len()) < MAX_ATTRIBUTES)
                .then_some(())?;
            let (name, value) = self.attribute()?;
            match declared_prefix(&name) {
                Some(prefix) => declarations.push(declaration(prefix, value, &declarations)?),
                None => attributes.push((name, value)),
            }
        };
        let element = self.resolve(name, declarations, attributes)?;
        Some((element, is_empty))
    }

    fn take_name(&mut self) -> Option<&'a str> {
        let is_end = |character: char| !(is_name_char(character) || character == ':');
        let (name, rest) = self.rest.split_at_checked(self.rest.find(is_end)?)?;
        self.rest = rest;
        Some(name)
    }

    fn attribute(&mut self) -> Option<(QName, String)> {
        let name = QName::parse(self.take_name()?)?;
        let after = self.rest.trim_start_matches(SPACE).strip_prefix('=')?;
        let after = after.trim_start_matches(SPACE);
        let quote = after
            .chars()
            .next()
            .filter(|&quote| quote == '"' || quote == '\'')?;
        let (value, rest) = after.strip_prefix(quote)?.split_once(quote)?;
        self.rest = rest;
        (!value.contains('<')).then_some(())?;
        // XML 1.0, section 3.3.3: literal white space becomes a space, that of references stays.
        let value = unescape(&value.replace(['\t', '\n'], " "))?;
        Some((name, value))
    }

    /// Looks up the namespaces of the names of a tag.
    fn resolve(
        &self,
        name: QName,
        declarations: Vec<(String, String)>,
        attributes: Vec<(QName, String)>,
    ) -> Option<Element> {
        let namespace = self.namespace(&name.prefix, &declarations)?;
        let mut resolved: Vec<Attribute> = Vec::new();
        for (name, value) in attributes {
            let namespace = if name.prefix.is_empty() {
                String::new()
            } else {
                self.namespace(&name.prefix, &declarations)?
            };
            let is_repeated = resolved
                .iter()
                .any(|one| one.namespace == namespace && one.name.local == name.local);
            (!is_repeated).then_some(())?;
            resolved.push(Attribute {
                name,
                namespace,
                value,
            });
        }
        Some(Element {
            name,
            namespace,
            declarations,
            attributes: resolved,
            children: Vec::new(),
        })
    }

    /// The namespace of a prefix; only the empty prefix may have none.
    fn namespace(&self, prefix: &str, own: &[(String, String)]) -> Option<String> {
        let outer = self
            .open
            .iter()
            .rev()
            .flat_map(|element| &element.declarations);
        let mut all = own.iter().chain(outer);
        match all.find(|(declared, _)| declared == prefix) {
            Some((_, uri)) => Some(uri.clone()),
            None => prefix.is_empty().then(String::new),
        }
    }
}

/// The prefix that an attribute declares, if it is a declaration.
fn declared_prefix(name: &QName) -> Option<String> {
    match (name.prefix.as_str(), name.local.as_str()) {
        ("", "xmlns") => Some(String::new()),
        ("xmlns", prefix) => Some(prefix.to_owned()),
        _ => None,
    }
}

/// Namespaces in XML 1.0, section 3: the prefixes `xml` and `xmlns` are not for declaring, and a prefix cannot be
/// undeclared.
fn declaration(
    prefix: String,
    uri: String,
    earlier: &[(String, String)],
) -> Option<(String, String)> {
    let is_reserved = prefix == "xml" || prefix == "xmlns";
    let is_undeclared = uri.is_empty() && !prefix.is_empty();
    let is_repeated = earlier.iter().any(|(other, _)| *other == prefix);
    (!is_reserved && !is_undeclared && !is_repeated).then_some((prefix, uri))
}

/// Replaces references by what they stand for.
fn unescape(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        let (name, after) = after.split_once(';')?;
        plain.push(referenced(name)?);
        rest = after;
    }
    plain.push_str(rest);
    Some(plain)
}

fn referenced(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "apos" => Some('\''),
        "gt" => Some('>'),
        "lt" => Some('<'),
        "quot" => Some('"'),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(digits) => digits_of(digits, 16)?,
                None => digits_of(number, 10)?,
            };
            char::from_u32(code).filter(|&character| is_xml_char(character))
        }
    }
}

/// `from_str_radix` alone would accept a sign.
fn digits_of(digits: &str, radix: u32) -> Option<u32> {
    let all = digits.chars().all(|digit| digit.is_digit(radix));
    all.then(|| u32::from_str_radix(digits, radix).ok())?
}

/// XML 1.0, section 2.2, `Char`.
fn is_xml_char(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)
}

fn is_name(text: &str) -> bool {
    let starts_well = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    starts_well && text.chars().all(is_name_char)
}

fn is_name_char(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '.' | '_')
}

const DECLARATIONS: [&str; 4] = [
    "version=\"1.0\"",
    "version=\"1.0\" encoding=\"utf-8\"",
    "version=\"1.0\" encoding=\"utf-8\" standalone=\"yes\"",
    "version=\"1.0\" encoding=\"utf-8\" standalone=\"no\"",
];

/// XML 1.0, section 2.3, `S`; carriage returns are gone by then.
const SPACE: [char; 3] = [' ', '\t', '\n'];

/// A manifest has elements three deep, about a hundred of them, with at most twelve attributes.
const MAX_DEPTH: usize = 16;
const MAX_ELEMENTS: usize = 4096;
const MAX_ATTRIBUTES: usize = 64;

#[cfg(test)]
mod tests;
