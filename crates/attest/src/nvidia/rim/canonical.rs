//! Canonical XML 1.1 (W3C Recommendation of 2 May 2008), inclusive and without comments, of what `xml.rs` can read.

use std::collections::BTreeMap;

use super::xml::{Attribute, Element, Node};

/// Namespace URIs by prefix; the empty prefix is the default namespace.
pub(super) type Scope<'a> = BTreeMap<&'a str, &'a str>;

/// Writes `element` and all in it except the element `omitted`, found by its place in memory. `ancestors` are the
/// namespaces in scope where the element stands: at the top they are all written (section 2.4, "namespace axis").
///
/// Attributes of the `xml` namespace, which Canonical XML would inherit, cannot occur: their prefix is not declared.
pub(super) fn write(element: &Element, ancestors: &Scope<'_>, omitted: Option<&Element>) -> String {
    let mut canonical = String::new();
    write_element(element, ancestors, &Scope::new(), omitted, &mut canonical);
    canonical
}

/// The namespaces in scope within `element`, if `outer` are those around it.
pub(super) fn scope_in<'a>(element: &'a Element, outer: &Scope<'a>) -> Scope<'a> {
    let mut scope = outer.clone();
    for (prefix, uri) in &element.declarations {
        if uri.is_empty() {
            scope.remove(prefix.as_str());
        } else {
            scope.insert(prefix, uri);
        }
    }
    scope
}

/// `written` are the namespaces that the output already has around this element.
fn write_element<'a>(
    element: &'a Element,
    outer: &Scope<'a>,
    written: &Scope<'a>,
    omitted: Option<&Element>,
    out: &mut String,
) {
    let name = element.name.written();
    let scope = scope_in(element, outer);
    out.push('<');
    out.push_str(&name);
    write_namespaces(&scope, written, out);
    write_attributes(&element.attributes, out);
    out.push('>');
    for child in &element.children {
        match child {
            Node::Text(text) => escape_text(text, out),
            Node::Element(child) if omitted.is_some_and(|one| core::ptr::eq(one, child)) => {}
            Node::Element(child) => write_element(child, &scope, &scope, omitted, out),
        }
    }
    out.push_str("</");
    out.push_str(&name);
    out.push('>');
}

/// Sections 2.2 and 2.3: those that are new here, by prefix, the default namespace first.
fn write_namespaces(scope: &Scope<'_>, written: &Scope<'_>, out: &mut String) {
    if written.contains_key("") && !scope.contains_key("") {
        out.push_str(" xmlns=\"\"");
    }
    for (prefix, uri) in scope {
        if written.get(prefix) == Some(uri) {
            continue;
        }
        out.push_str(" xmlns");
        if !prefix.is_empty() {
            out.push(':');
            out.push_str(prefix);
        }
        out.push_str("=\"");
        escape_value(uri, out);
        out.push('"');
    }
}

/// By namespace, then by local name; those without a namespace come first.
fn write_attributes(attributes: &[Attribute], out: &mut String) {
    let mut sorted: Vec<_> = attributes.iter().collect();
    sorted.sort_by_key(|one| (&one.namespace, &one.name.local));
    for attribute in sorted {
        out.push(' ');
        out.push_str(&attribute.name.written());
        out.push_str("=\"");
        escape_value(&attribute.value, out);
        out.push('"');
    }
}

fn escape_text(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\r' => out.push_str("&#xD;"),
            _ => out.push(character),
        }
    }
}

fn escape_value(value: &str, out: &mut String) {
    for character in value.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '"' => out.push_str("&quot;"),
            '\t' => out.push_str("&#x9;"),
            '\n' => out.push_str("&#xA;"),
            '\r' => out.push_str("&#xD;"),
            _ => out.push(character),
        }
    }
}

#[cfg(test)]
mod tests;
