//! Documents, well formed and not.

use proptest::prelude::*;

use super::*;

fn is_read(document: &str) -> bool {
    parse(document).is_some()
}

#[test]
fn names_are_resolved_in_their_scope() {
    let root = parse(
        "<?xml version='1.0' encoding='UTF-8'?>\n<a xmlns='urn:x' xmlns:p='urn:y' k='1' p:k='2'>\
         <p:b xmlns=''><c/></p:b><d xmlns:p='urn:z' p:e=''/></a>\n",
    )
    .unwrap();
    assert!(root.is("urn:x", "a"));
    assert_eq!(root.attribute("", "k"), Some("1"));
    assert_eq!(root.attribute("urn:y", "k"), Some("2"));
    let [b, d] = root.elements().unwrap().try_into().unwrap();
    assert!(b.is("urn:y", "b"));
    let [c] = b.elements().unwrap().try_into().unwrap();
    assert!(c.is("", "c"));
    assert!(d.is("urn:x", "d"));
    assert_eq!(d.attribute("urn:z", "e"), Some(""));
}

#[test]
fn references_and_line_ends_are_replaced() {
    let root = parse("<a k='&lt;&#x41;&#10;x\ty\r\nz'>a&amp;&#66;\r\nb\rc</a>").unwrap();
    assert_eq!(root.attribute("", "k"), Some("<A\nx y z"));
    assert_eq!(root.text(), Some("a&B\nb\nc"));
}

#[test]
fn what_is_not_well_formed_is_refused() {
    for document in [
        "",
        " ",
        "text",
        "<a>",
        "<a",
        "</a>",
        "<a></b>",
        "<a></a",
        "<a><b></a></b>",
        "<a/><b/>",
        "<a/>text",
        "text<a/>",
        "< a/>",
        "<a/ >",
        "<1a/>",
        "<a k/>",
        "<a k=v/>",
        "<a k='v/>",
        "<a k='1'k2='2'/>",
        "<a k='1' k='2'/>",
        "<a k='<'/>",
        "<a>]]></a>",
        "<a>&</a>",
        "<a>&lt</a>",
        "<a>&unknown;</a>",
        "<a>&#xZ;</a>",
        "<a>&#+65;</a>",
        "<a>&#0;</a>",
        "<a>&#xFFFE;</a>",
        "<a>&#x110000;</a>",
        "<a>\u{1}</a>",
        "<a>\u{FFFF}</a>",
        "<a:b:c xmlns:a='u'/>",
        "<:a/>",
        "<a:/>",
    ] {
        assert!(!is_read(document), "{document:?}");
    }
}

#[test]
fn namespaces_are_declared_once_and_rightly() {
    for document in [
        "<p:a/>",
        "<a p:k=''/>",
        "<a xmlns:p=''/>",
        "<a xmlns:xml='http://www.w3.org/XML/1998/namespace'/>",
        "<a xmlns:xmlns='u'/>",
        "<a xml:lang='en'/>",
        "<a xmlns:p='u' xmlns:p='v'/>",
        "<a xmlns='u' xmlns='u'/>",
        "<a xmlns:p='u' xmlns:q='u' p:k='' q:k=''/>",
    ] {
        assert!(!is_read(document), "{document:?}");
    }
}

#[test]
fn what_a_manifest_does_not_use_is_refused() {
    for document in [
        "<!DOCTYPE a><a/>",
        "<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>",
        "<!-- c --><a/>",
        "<a><!-- c --></a>",
        "<a><![CDATA[x]]></a>",
        "<a><?pi x?></a>",
        "<?pi x?><a/>",
        "<?xml version='1.0' encoding='UTF-16'?><a/>",
        "<?xml version='1.0' encoding='utf-8'<?><a/>",
        "<?xml version='1.1'?><a/>",
        "<?xml?><a/>",
        "<?xml ?><a/>",
        "<?xmlversion='1.0'?><a/>",
        "<?xml encoding='utf-8'?><a/>",
        "<?xml version='1.0' standalone='maybe'?><a/>",
        " <?xml version='1.0'?><a/>",
        "<\u{E9}/>",
        "\u{FEFF}<a/>",
    ] {
        assert!(!is_read(document), "{document:?}");
    }
}

#[test]
fn depth_and_numbers_are_bounded() {
    let nested = |depth| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
    assert!(is_read(&nested(MAX_DEPTH)));
    assert!(!is_read(&nested(MAX_DEPTH.saturating_add(1))));
    let wide = |count| format!("<a>{}</a>", "<b/>".repeat(count));
    assert!(is_read(&wide(MAX_ELEMENTS.saturating_sub(1))));
    assert!(!is_read(&wide(MAX_ELEMENTS)));
    let attributes = |count: usize| {
        let list: Vec<_> = (0..count).map(|number| format!("k{number}=''")).collect();
        format!("<a {}/>", list.join(" "))
    };
    assert!(is_read(&attributes(MAX_ATTRIBUTES)));
    assert!(!is_read(&attributes(MAX_ATTRIBUTES.saturating_add(1))));
}

proptest! {
    #[test]
    fn random_text_never_panics(text in "[ -~\n<>/='\"&;:a-c]{0,200}") {
        let _ = parse(&text);
    }
}
