//! The reader by itself, against a model of browsers, and against a million headers of noise.

use super::*;

mod browser;

use browser::{Browser, Host};

fn read(field: &[u8]) -> SentCookies<'_> {
    SentCookies::read([field])
}

/// What the header holds for `id`: its value, `-` for none, `2` for two.
fn id(field: &[u8]) -> &str {
    match read(field).get("__Host-id") {
        Ok(value) => value.unwrap_or("-"),
        Err(_) => "2",
    }
}

#[test]
fn names_are_compared_byte_for_byte() {
    assert_eq!(id(b"__Host-id=a"), "a");
    for other in [
        "\u{2000}__Host-id=a",
        "\u{a0}__Host-id=a",
        "\u{3000}__Host-id=a",
        "\u{85}__Host-id=a",
        "\u{b}__Host-id=a",
        "\u{c}__Host-id=a",
        "\u{feff}__Host-id=a",
        "__Host-id\u{2000}=a",
        "__Host%2Did=a",
        "%5f_Host-id=a",
        "__host-id=a",
        "__HOST-ID=a",
        "__Host-id =a",
        "\"__Host-id\"=a",
        "__Host-id",
        "=__Host-id=a",
        "id=a",
        "x__Host-id=a",
        "__Host-idx=a",
        "$Version=1,__Host-id=a",
    ] {
        assert_eq!(id(other.as_bytes()), "-", "{other:?}");
        // It takes nothing away from the real one, before and after it.
        assert_eq!(id(format!("{other}; __Host-id=good").as_bytes()), "good", "{other:?}");
        assert_eq!(id(format!("__Host-id=good;{other}").as_bytes()), "good", "{other:?}");
    }
    assert_eq!(id(b"\xe2\x80__Host-id=a"), "-");
}

#[test]
fn spaces_and_tabs_around_a_piece_are_nothing() {
    for field in ["__Host-id=a", " \t__Host-id=a\t ", ";;__Host-id=a;", "x=1;\t__Host-id=a ;y=2", ";; ; __Host-id=a"] {
        assert_eq!(id(field.as_bytes()), "a", "{field:?}");
    }
    assert_eq!(id(b"__Host-id="), "");
    assert_eq!(id(b"__Host-id=a=b=="), "a=b==");
    assert_eq!(id(b""), "-");
}

#[test]
fn a_bad_piece_is_skipped_alone() {
    for bad in [
        b"zz=a\xff".as_slice(),
        b"\xff",
        b"\xff=a",
        b"zz",
        b"=",
        b"=zz",
        b"zz=a\0b",
        b"zz=%ff",
        b"__Host-id=a b",
        b"__Host-id=\"a\"",
        b"__Host-id=a,b",
        b"__Host-id=a\\b",
        b"__Host-id= a",
        b"__Host-id=\xc3\xa9",
        b"__Host-id=\x7f",
    ] {
        let name = String::from_utf8_lossy(bad);
        assert_eq!(id(&[bad, b"; __Host-id=good"].concat()), "good", "{name:?}");
        assert_eq!(id(&[b"__Host-id=good; ", bad].concat()), "good", "{name:?}");
        let two = SentCookies::read([bad, b"__Host-id=good"]);
        assert_eq!(two.get("__Host-id"), Ok(Some("good")), "{name:?}");
    }
}

#[test]
fn two_values_are_none_and_one_value_twice_is_one() {
    assert_eq!(id(b"__Host-id=a; __Host-id=a"), "a");
    for two in ["__Host-id=a; __Host-id=b", "__Host-id=a; x=1; __Host-id=b; __Host-id=a", "__Host-id=; __Host-id=b"] {
        assert_eq!(id(two.as_bytes()), "2", "{two}");
    }
    let fields = [b"__Host-id=a; x=1; y=1".as_slice(), b"__Host-id=b; y=2"];
    let sent = SentCookies::read(fields);
    let error = sent.get("__Host-id").unwrap_err();
    assert_eq!(error.to_string(), "The browser sends two different cookies named __Host-id");
    assert_eq!(sent.iter().collect::<Vec<_>>(), [("x", "1")]);
    assert_eq!(sent.ambiguous(|name| name == "y").unwrap().name(), "y");
    assert_eq!(sent.ambiguous(|name| name == "x"), None);
}

/// xorshift64*, so that each run makes the same headers.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % end
    }

    fn one_of<'a>(&mut self, all: &[&'a [u8]]) -> &'a [u8] {
        all[self.below(all.len())]
    }
}

/// What attacks are made of, and any byte.
const PARTS: [&[u8]; 25] = [
    b"id=a; ",
    b"; id=b;",
    b"__Host-id=a;",
    b"id",
    b"__Host-",
    b"__Host-id",
    b"=",
    b"=",
    b"=",
    b";",
    b"; ",
    b";",
    b" ",
    b"\t",
    b"a",
    b"b",
    b"%2D",
    b"%",
    b"\"",
    b",",
    b"\xe2\x80\x80",
    b"\xc2\xa0",
    b"\xff",
    b"\0",
    b"\\",
];

#[test]
fn a_million_headers_of_noise_give_nothing_that_was_not_sent() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut found, mut ambiguous) = (0, 0);
    let mut fields = [Vec::new(), Vec::new()];
    for _ in 0..1_000_000 {
        fields.iter_mut().for_each(Vec::clear);
        for _ in 0..random.below(14) {
            let field = random.below(fields.len());
            if random.below(8) == 0 {
                fields[field].push(random.below(256) as u8);
            } else {
                fields[field].extend_from_slice(random.one_of(&PARTS));
            }
        }
        let sent = SentCookies::read(fields.iter().map(Vec::as_slice));
        for (name, value) in sent.iter() {
            let piece = [name.as_bytes(), b"=", value.as_bytes()].concat();
            let is_there = |field: &Vec<u8>| field.windows(piece.len()).any(|window| window == piece);
            assert!(fields.iter().any(is_there), "{piece:?} in {fields:?}");
            assert_eq!(sent.get(name), Ok(Some(value)));
            found += 1;
        }
        ambiguous += usize::from(sent.ambiguous(|_| true).is_some());
    }
    assert!(found > 100_000 && ambiguous > 10_000, "the noise is none: {found}, {ambiguous}");
}

/// Who sets cookies that reach `alice.a.test`, in each round of the next test.
const HOSTS: [Host; 4] = [
    Host { name: "alice.a.test", is_https: true },
    Host { name: "evil.a.test", is_https: true },
    Host { name: "alice.a.test", is_https: false },
    Host { name: "a.test", is_https: true },
];

const NAMES: [&[u8]; 18] = [
    b"__Host-id",
    b"__Host-id",
    b"id",
    b"\xe2\x80\x80__Host-id",
    b"\xc2\xa0__Host-id",
    b"__Host%2Did",
    b"__host-id",
    b"__HOST-ID",
    b" __Host-id",
    b"\t__Host-id ",
    b"",
    b"=__Host-id",
    b"\x0b__Host-id",
    b"\xff__Host-id",
    b"__Host-id\xe3\x80\x80",
    b"__Host-id\x07",
    b"\"__Host-id\"",
    b"zz",
];
const VALUES: [&[u8]; 9] =
    [b"evil", b"1", b"a\xff", b"", b"__Host-id=evil", b"x, __Host-id=evil", b"\"a", b" __Host-id=evil", b"a=__Host-id"];
const ATTRIBUTES: [&[u8]; 9] = [
    b"",
    b"; Domain=a.test",
    b"; Domain=.a.test; Path=/",
    b"; Secure; Path=/",
    b"; Secure; Path=/; Domain=a.test",
    b"; Domain=alice.a.test",
    b"; Path=/account",
    b"; Domain=test",
    b"; Secure; Domain=; Path=/",
];

/// The one that matters: whatever anybody sets, the site reads its `__Host-` cookie as it set it itself, or not at all.
#[test]
fn nobody_else_sets_a_host_cookie_in_a_browser() {
    let mut random = Random(2);
    let (mut kept, mut planted) = (0, 0);
    for round in 0..30_000 {
        let mut browser = Browser::default();
        let mut own = None;
        for step in 0..random.below(8) {
            let host = HOSTS[random.below(HOSTS.len())];
            if host == HOSTS[0] && random.below(2) == 0 {
                let value = format!("own{round}-{step}");
                browser.set_cookie(host, format!("__Host-id={value}; Secure; HttpOnly; Path=/").as_bytes());
                own = Some(value);
            } else if host != HOSTS[0] {
                let name = random.one_of(&NAMES);
                let value = random.one_of(&VALUES);
                let attributes = random.one_of(&ATTRIBUTES);
                planted += usize::from(browser.set_cookie(host, &[name, b"=", value, attributes].concat()));
            }
        }
        let header = browser.cookie_header(HOSTS[0], "/account");
        let sent = read(&header);
        assert_eq!(sent.get("__Host-id"), Ok(own.as_deref()), "{:?}", String::from_utf8_lossy(&header));
        kept += usize::from(own.is_some());
    }
    assert!(kept > 1_000 && planted > 10_000, "{kept}, {planted}");
}

/// And of names without a prefix it reads what the browser holds under just this name.
#[test]
fn the_reader_and_the_browser_agree_on_every_name() {
    let mut random = Random(3);
    let mut ambiguous = 0;
    for _ in 0..30_000 {
        let mut browser = Browser::default();
        for _ in 0..random.below(8) {
            let host = HOSTS[random.below(HOSTS.len())];
            let (name, value, more) = (random.one_of(&NAMES), random.one_of(&VALUES), random.one_of(&ATTRIBUTES));
            browser.set_cookie(host, &[name, b"=", value, more].concat());
        }
        let header = browser.cookie_header(HOSTS[0], "/account");
        let sent = read(&header);
        for name in ["id", "zz", "__Host-id", "__host-id", "__Host%2Did"] {
            let mut held = browser.values_of(HOSTS[0], "/account", name.as_bytes());
            held.retain(|value| value.iter().copied().all(is_cookie_octet));
            held.sort();
            held.dedup();
            let expected = match held.as_slice() {
                [] => Ok(None),
                [value] => Ok(Some(std::str::from_utf8(value).unwrap())),
                _ => Err(AmbiguousCookie(name.to_owned())),
            };
            ambiguous += usize::from(expected.is_err());
            assert_eq!(sent.get(name), expected, "{:?}", String::from_utf8_lossy(&header));
        }
    }
    assert!(ambiguous > 100, "{ambiguous}");
}
