//! Known answers, after the examples of Canonical XML 1.1, section 3.

use super::super::xml::parse;
use super::*;

fn canonical(document: &str) -> String {
    write(&parse(document).unwrap(), &Scope::new(), None)
}

/// Section 3.3: empty elements are closed, attributes sorted, declarations first.
#[test]
fn tags_are_written_in_one_way() {
    let document = "<?xml version='1.0'?>\n<doc><e1   /><e2   ></e2>\
        <e3   name = \"elem3\"   id=\"elem3\"   /><e5 a:attr=\"out\" b:attr=\"sorted\" attr2=\"all\" \
        attr=\"I'm\"\n   xmlns:b=\"http://www.ietf.org\"   xmlns:a=\"http://www.w3.org\"   \
        xmlns=\"http://example.org\"/></doc>\n";
    let expected = "<doc><e1></e1><e2></e2><e3 id=\"elem3\" name=\"elem3\"></e3>\
        <e5 xmlns=\"http://example.org\" xmlns:a=\"http://www.w3.org\" xmlns:b=\"http://www.ietf.org\" \
        attr=\"I'm\" attr2=\"all\" b:attr=\"sorted\" a:attr=\"out\"></e5></doc>";
    assert_eq!(canonical(document), expected);
}

/// Section 3.3 too: a namespace that is in scope already is not written again.
#[test]
fn superfluous_declarations_are_left_out() {
    let document = "<e6 xmlns=\"\" xmlns:a=\"http://www.w3.org\"><e7 xmlns=\"http://www.ietf.org\">\
        <e8 xmlns=\"\" xmlns:a=\"http://www.w3.org\"><e9 xmlns=\"\" xmlns:a=\"http://www.ietf.org\"/>\
        </e8></e7></e6>";
    let expected = "<e6 xmlns:a=\"http://www.w3.org\"><e7 xmlns=\"http://www.ietf.org\">\
        <e8 xmlns=\"\"><e9 xmlns:a=\"http://www.ietf.org\"></e9></e8></e7></e6>";
    assert_eq!(canonical(document), expected);
}

/// Section 3.4.
#[test]
fn characters_are_escaped_in_one_way() {
    let document = "<doc><text>First line&#x0d;&#10;Second line</text><value>&#x32;</value>\
        <compute expr='value>\"0\" &amp;&amp; value&lt;\"10\" ?\"valid\":\"error\"'>valid</compute>\
        <norm attr=' &apos;   &#x20;&#13;&#xa;&#9;   &apos; '/></doc>";
    let expected = "<doc><text>First line&#xD;\nSecond line</text><value>2</value>\
        <compute expr=\"value>&quot;0&quot; &amp;&amp; value&lt;&quot;10&quot; ?&quot;valid&quot;:&quot;error&quot;\">valid</compute>\
        <norm attr=\" '    &#xD;&#xA;&#x9;   ' \"></norm></doc>";
    assert_eq!(canonical(document), expected);
    assert_eq!(canonical("<a>&gt;&amp;&lt;</a>"), "<a>&gt;&amp;&lt;</a>");
}

/// Section 3.2: white space between elements stays, that around the root does not.
#[test]
fn white_space_inside_the_root_is_kept() {
    assert_eq!(canonical(" <a> <b/>\n</a> \n"), "<a> <b></b>\n</a>");
}

#[test]
fn a_part_declares_every_namespace_in_scope() {
    let root = parse("<a xmlns='u' xmlns:q='v' xmlns:p='w'><b xmlns:q='x'><c/></b></a>").unwrap();
    let [b] = root.elements().unwrap().try_into().unwrap();
    let scope = scope_in(&root, &Scope::new());
    let expected = "<b xmlns=\"u\" xmlns:p=\"w\" xmlns:q=\"x\"><c></c></b>";
    assert_eq!(write(b, &scope, None), expected);
}

#[test]
fn only_the_omitted_element_is_left_out() {
    let root = parse("<a><b/><b/></a>").unwrap();
    let [first, _] = root.elements().unwrap().try_into().unwrap();
    assert_eq!(write(&root, &Scope::new(), Some(first)), "<a><b></b></a>");
}

/// What is written canonically reads as the same and is written the same.
#[test]
fn canonical_form_is_stable() {
    let document = "<a xmlns='u' xmlns:p='v' p:k='&#9;&lt;'><p:b>&#13;&gt;</p:b></a>";
    let once = canonical(document);
    assert_eq!(canonical(&once), once);
}
