//! Writes the XML of the Query protocols.

use std::fmt::Display;

use quick_xml::Writer;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};

/// An XML text in the making.
pub(super) struct Xml {
    writer: Writer<Vec<u8>>,
}

impl Xml {
    /// The text of a document with this root.
    pub(super) fn document(root: &str, namespace: &str, inner: impl FnOnce(&mut Xml)) -> String {
        let mut xml = Xml {
            writer: Writer::new(Vec::new()),
        };
        let start = BytesStart::new(root).with_attributes([("xmlns", namespace)]);
        xml.write(Event::Start(start));
        inner(&mut xml);
        xml.write(Event::End(BytesEnd::new(root)));
        let bytes = xml.writer.into_inner();
        String::from_utf8(bytes).expect("invariant: only UTF-8 is written")
    }

    /// An element that holds others.
    pub(super) fn node(&mut self, name: &str, inner: impl FnOnce(&mut Xml)) {
        self.write(Event::Start(BytesStart::new(name)));
        inner(self);
        self.write(Event::End(BytesEnd::new(name)));
    }

    /// An element that holds text.
    pub(super) fn text(&mut self, name: &str, value: impl Display) {
        let text = value.to_string();
        self.node(name, |xml| xml.write(Event::Text(BytesText::new(&text))));
    }

    /// An element that holds text, left out when there is none.
    pub(super) fn opt(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// A list: each item in an element of its own, `member` or `item` by protocol.
    pub(super) fn list<T>(
        &mut self,
        name: &str,
        each: &str,
        items: impl IntoIterator<Item = T>,
        write: impl Fn(&mut Xml, T),
    ) {
        self.node(name, |xml| {
            for item in items {
                xml.node(each, |xml| write(xml, item));
            }
        });
    }

    /// A list of plain values.
    pub(super) fn values<T: Display>(
        &mut self,
        name: &str,
        each: &str,
        items: impl IntoIterator<Item = T>,
    ) {
        self.node(name, |xml| {
            for item in items {
                xml.text(each, item);
            }
        });
    }

    fn write(&mut self, event: Event) {
        let written = self.writer.write_event(event);
        written.expect("invariant: writing to memory does not fail");
    }
}
