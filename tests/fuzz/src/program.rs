//! Programs of calls to the host: bytes say which functions of the contract are called with what, and a component, made
//! once, carries that out. Most arguments are nearly right, as what is all wrong ends at the boundary; any word of any call
//! may be anything all the same.

use portolan_tests::contract::Contract;

/// The program comes to the component as a range of this store's only blob.
pub const STORE: &str = "oci-layout://program";
pub const MEDIA_TYPE: &str = "a/b";
pub const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
/// A longer program is cut.
pub const LONGEST: usize = 1 << 20;

/// Where it lies in the component's memory, and where the host writes its answers to.
const START: u32 = 65_536;
const ANSWERED: u32 = 2_048;
/// A call: its function's number, and a word of 64 bits for each flat argument.
const FRAME: usize = 16 * 8;
/// Of one program, so many are made.
const CALLS: usize = 64;
/// What `solve` answers with: a result of a response or a failure.
const ANSWER: usize = 72;

/// What a function takes.
#[derive(Clone, Copy)]
enum Takes {
    Level,
    Text,
    MaybeText,
    Descriptor,
    Number,
    Length,
    Texts,
    Descriptors,
    Items,
}

impl Takes {
    /// Its flat types: `i` and `I` for 32 and 64 bits.
    fn flat(self) -> &'static str {
        match self {
            Takes::Level | Takes::Length => "i",
            Takes::Text | Takes::Texts | Takes::Descriptors | Takes::Items => "ii",
            Takes::MaybeText => "iii",
            Takes::Descriptor => "iiiiI",
            Takes::Number => "I",
        }
    }
}

/// Every function that a frontend can call, and whether it answers in memory.
const FUNCTIONS: [(&str, &str, &[Takes], bool); 13] = [
    ("host", "platform", &[], true),
    ("host", "features", &[], true),
    ("host", "log", &[Takes::Level, Takes::Text], false),
    ("resolver", "resolve", &[Takes::Text], true),
    ("resolver", "resolve-all", &[Takes::Texts], true),
    ("resolver", "entries", &[Takes::Text], true),
    ("fetcher", "fetch", &[Takes::Text, Takes::Descriptor], true),
    ("fetcher", "prefetch", &[Takes::Text, Takes::Descriptors], false),
    ("blobs", "read", &[Takes::Text, Takes::Descriptor, Takes::Number, Takes::Length], true),
    ("discovery", "tags", &[Takes::Text, Takes::MaybeText], true),
    ("discovery", "referrers", &[Takes::Text, Takes::Text, Takes::MaybeText], true),
    ("pusher", "push", &[Takes::Text, Takes::MaybeText, Takes::Descriptor, Takes::Text], true),
    ("pusher", "copy", &[Takes::Text, Takes::Text, Takes::Items], true),
];
/// The one that the program itself comes by.
const READ: usize = 8;

/// Numbers at which something ends.
const NUMBERS: [u64; 16] = [
    0,
    1,
    2,
    9,
    10,
    11,
    1 << 16,
    (1 << 20) + 1,
    (1 << 31) - 1,
    1 << 31,
    (1 << 32) - 1,
    1 << 32,
    (1 << 63) - 1,
    1 << 63,
    u64::MAX - 1,
    u64::MAX,
];

/// What a program can speak of without spelling it.
#[derive(Debug)]
pub struct Words {
    pub texts: Vec<Vec<u8>>,
    /// Media types, digests, sizes.
    pub descriptors: Vec<(String, String, u64)>,
}

/// An input, taken piece by piece; zeros where it is at its end.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken.to_vec()
    }

    fn word(&mut self) -> u64 {
        let mut word = [0; 8];
        word.fill_with(|| self.byte());
        u64::from_le_bytes(word)
    }

    fn number(&mut self) -> u64 {
        match self.byte() {
            raw @ 0x80.. => self.word() >> (raw & 0x3f),
            known => NUMBERS[usize::from(known) % NUMBERS.len()],
        }
    }

    fn text(&mut self, words: &Words) -> Vec<u8> {
        let known = |number: u8| words.texts[usize::from(number) % words.texts.len()].clone();
        match self.byte() {
            number @ ..0x80 => known(number),
            length @ ..0xc0 => self.bytes(usize::from(length & 0x3f)),
            length @ ..0xe0 => {
                let mut text = known(self.byte());
                text.extend(self.bytes(usize::from(length & 0x1f)));
                text
            }
            power @ ..0xf0 => {
                let text = known(self.byte());
                let most = (LONGEST / 8).checked_div(text.len()).unwrap_or_default();
                text.repeat(most.min(1 << (power & 0xf)))
            }
            _ => {
                let mut text = known(self.byte());
                let (place, byte) = (usize::from(self.byte()), self.byte());
                if let Some(place) = place.checked_rem(text.len()) {
                    text[place] = byte;
                }
                text
            }
        }
    }
}

/// A program on its way: calls at the front, what they point at behind.
struct Image<'a> {
    input: Input<'a>,
    words: &'a Words,
    bytes: Vec<u8>,
}

impl Image<'_> {
    /// Puts bytes down, aligned for everything; where.
    fn put(&mut self, bytes: &[u8]) -> u64 {
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        let place = u64::from(START) + self.bytes.len() as u64;
        self.bytes.extend_from_slice(bytes);
        place
    }

    fn text(&mut self) -> [u64; 2] {
        let text = self.input.text(self.words);
        [self.put(&text), text.len() as u64]
    }

    fn maybe(&mut self) -> [u64; 3] {
        let there = self.input.byte() & 1;
        let [place, length] = if there == 1 { self.text() } else { [0; 2] };
        [u64::from(there), place, length]
    }

    fn descriptor(&mut self) -> [u64; 5] {
        let number = self.input.byte();
        if number < 0xc0 {
            let (media_type, digest, size) =
                &self.words.descriptors[usize::from(number) % self.words.descriptors.len()];
            let (media_type, digest) = (media_type.as_bytes(), digest.as_bytes());
            return [self.put(media_type), media_type.len() as u64, self.put(digest), digest.len() as u64, *size];
        }
        let ([media_type, length], [digest, long]) = (self.text(), self.text());
        [media_type, length, digest, long, self.input.number()]
    }

    fn list(&mut self, item: impl Fn(&mut Self) -> Vec<u8>) -> [u64; 2] {
        let count = match self.input.byte() {
            // The same again and again: many of them are a few bytes.
            many @ 0xf0.. => {
                let items = item(self).repeat(1 << (many & 0xf));
                let length = u64::from(1_u32 << (many & 0xf));
                return [self.put(&items), length];
            }
            few => few % 8,
        };
        let items: Vec<u8> = (0..count).flat_map(|_| item(self)).collect();
        [self.put(&items), u64::from(count)]
    }

    fn take(&mut self, takes: Takes) -> Vec<u64> {
        match takes {
            Takes::Level => vec![u64::from(self.input.byte() % 4)],
            Takes::Number | Takes::Length => vec![self.input.number()],
            Takes::Text => self.text().to_vec(),
            Takes::MaybeText => self.maybe().to_vec(),
            Takes::Descriptor => self.descriptor().to_vec(),
            Takes::Texts => self.list(|image| words(&image.text())).to_vec(),
            Takes::Descriptors => self.list(Image::listed).to_vec(),
            Takes::Items => self
                .list(|image| {
                    let (mut item, name) = (image.listed(), image.maybe());
                    item.extend(words(&name));
                    item.resize(40, 0);
                    item
                })
                .to_vec(),
        }
    }

    /// A descriptor as it lies in a list.
    fn listed(&mut self) -> Vec<u8> {
        let [media_type, length, digest, long, size] = self.descriptor();
        let mut record = words(&[media_type, length, digest, long]);
        record.extend(size.to_le_bytes());
        record
    }

    /// The record that `solve` answers with.
    fn answer(&mut self) -> [u8; ANSWER] {
        let mut record = [0; ANSWER];
        let mut set = |place: usize, words: &[u8]| record[place..place + words.len()].copy_from_slice(words);
        let kind = self.input.byte();
        if kind >= 0xc0 {
            set(0, &[1]);
            set(8, &words(&self.text()));
            set(16, &words(&self.maybe()));
            let [code, length] = self.text();
            set(28, &words(&[u64::from(kind & 1), code, length, code, length, u64::from(kind & 2), u64::MAX]));
            return record;
        }
        set(8, &[if kind & 0x20 == 0 { 0 } else { self.input.byte() }]);
        set(12, &words(&self.text()));
        set(24, &[kind % 3]);
        set(32, &words(&self.text()));
        if kind % 3 == 2 {
            set(40, &self.listed());
        }
        let metadata = self.list(|image| [words(&image.text()), words(&image.text())].concat());
        set(64, &words(&metadata));
        record
    }
}

fn words(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|&word| (word as u32).to_le_bytes()).collect()
}

/// The program that an input says.
pub fn assemble(input: &[u8], words: &Words) -> Vec<u8> {
    let mut input = Input(input);
    let count = usize::from(input.byte()) % CALLS;
    // What the answer is comes first, and so do the calls in memory; where all of it is cut, they are there.
    let front = 8 + ANSWER + (count + 1) * FRAME;
    let mut image = Image { input, words, bytes: vec![0; front] };
    let answer = image.answer();
    image.bytes[8..8 + ANSWER].copy_from_slice(&answer);
    for number in 0..count {
        let function = usize::from(image.input.byte()) % FUNCTIONS.len();
        let (_, _, takes, answers) = FUNCTIONS[function];
        let mut arguments: Vec<u64> = takes.iter().flat_map(|&takes| image.take(takes)).collect();
        if answers {
            arguments.push(u64::from(ANSWERED));
        }
        if let wild @ 0xf0.. = image.input.byte()
            && let Some(argument) = arguments.get_mut(usize::from(wild & 0xf))
        {
            *argument = image.input.word();
        }
        let frame = [&[function as u64][..], &arguments].concat();
        let start = 8 + ANSWER + number * FRAME;
        for (place, word) in frame.into_iter().enumerate() {
            image.bytes[start + place * 8..][..8].copy_from_slice(&word.to_le_bytes());
        }
    }
    let end = 8 + ANSWER + count * FRAME;
    image.bytes[end] = FUNCTIONS.len() as u8;
    image.bytes.truncate(LONGEST);
    image.bytes
}

/// The component that carries programs out: a frontend that asks for the program first.
pub fn component() -> Vec<u8> {
    let types = |takes: &[Takes], answers: bool| -> String {
        let flat: String = takes.iter().map(|takes| takes.flat()).collect();
        flat + if answers { "i" } else { "" }
    };
    let imports: String = FUNCTIONS
        .iter()
        .enumerate()
        .map(|(number, (interface, name, takes, answers))| {
            let parameters: String = types(takes, *answers)
                .chars()
                .map(|of| if of == 'I' { "(param i64)" } else { "(param i32)" })
                .collect();
            format!(r#"(import "portolan:oci/{interface}@0.1.0" "{name}" (func $f{number} {parameters}))"#)
        })
        .collect();
    let calls: String = FUNCTIONS
        .iter()
        .enumerate()
        .map(|(number, (_, _, takes, answers))| {
            let load = |(place, of): (usize, char)| {
                let load = if of == 'I' { "i64.load" } else { "i32.load" };
                format!("({load} offset={} (local.get $frame))", 8 + place * 8)
            };
            let arguments: String = types(takes, *answers).chars().enumerate().map(load).collect();
            format!("(if (i32.eq (local.get $function) (i32.const {number})) (then (call $f{number} {arguments})))")
        })
        .collect();
    let [store, media_type, digest] = [STORE, MEDIA_TYPE, DIGEST].map(str::len);
    let module = format!(
        r#"(module {imports}
            (memory (export "memory") 32)
            (global $free (mut i32) (i32.const 4096))
            (data (i32.const 256) "{STORE}") (data (i32.const 512) "{MEDIA_TYPE}") (data (i32.const 768) "{DIGEST}")
            (func (export "cabi_realloc") (param $old i32) (param $had i32) (param $align i32) (param $wanted i32) (result i32)
                (local.set $old (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
                (global.set $free (i32.add (local.get $old) (local.get $wanted)))
                (block $enough (loop $more
                    (br_if $enough (i32.le_u (global.get $free) (i32.mul (memory.size) (i32.const 65536))))
                    (br_if $enough (i32.eq (memory.grow (i32.const 16)) (i32.const -1)))
                    (br $more)))
                (local.get $old))
            (func (export "portolan:oci/frontend@0.1.0#describe") (result i32) (i32.const 1024))
            (func (export "portolan:oci/frontend@0.1.0#solve") (param i32 i32) (result i32)
                (local $frame i32) (local $function i32)
                (global.set $free (i32.const {START}))
                (call $f{READ} (i32.const 256) (i32.const {store}) (i32.const 512) (i32.const {media_type})
                    (i32.const 768) (i32.const {digest}) (i64.const {LONGEST}) (i64.const 0) (i32.const {LONGEST})
                    (i32.const {ANSWERED}))
                (if (i32.load8_u (i32.const {ANSWERED})) (then unreachable))
                (if (i32.ne (i32.load offset=4 (i32.const {ANSWERED})) (i32.const {START})) (then unreachable))
                (local.set $frame (i32.const {first}))
                (loop $on
                    (local.set $function (i32.load (local.get $frame)))
                    {calls}
                    (local.set $frame (i32.add (local.get $frame) (i32.const {FRAME})))
                    (br_if $on (i32.lt_u (local.get $function) (i32.const {end}))))
                (i32.const {answer})))"#,
        first = START as usize + 8 + ANSWER,
        answer = START + 8,
        end = FUNCTIONS.len(),
    );
    let module = wat::parse_str(&module).unwrap_or_else(|error| panic!("{error}\n{module}"));
    Contract::current().around("writer", module)
}
