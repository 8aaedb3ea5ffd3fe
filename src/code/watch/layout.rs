//! Fields of an event as the kernel describes them: kernels differ, so no offset is assumed.

/// The places of fields in the octets of an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    fields: Vec<Field>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Field {
    name: String,
    offset: usize,
    size: usize,
}

impl Layout {
    /// Reads the file `format` of an event.
    #[must_use]
    pub fn read(format: &str) -> Layout {
        Layout { fields: format.lines().filter_map(Field::read).collect() }
    }

    /// Returns the place and the size of a field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<(usize, usize)> {
        let field = self.fields.iter().find(|field| field.name == name)?;
        Some((field.offset, field.size))
    }

    /// Returns the octets of all fields.
    #[must_use]
    pub fn size(&self) -> usize {
        let ends = self.fields.iter().map(|field| field.offset.saturating_add(field.size));
        ends.max().unwrap_or(0)
    }
}

impl Field {
    /// Reads `field:__u8 saddr[4]; offset:32; size:4; signed:0;`.
    fn read(line: &str) -> Option<Field> {
        let (declaration, rest) = line.trim().strip_prefix("field:")?.split_once(';')?;
        let name = declaration.rsplit([' ', '*']).next()?;
        let name = name.split('[').next().unwrap_or(name).to_owned();
        let number = |key: &str| {
            let value = rest.split(';').find_map(|part| part.trim().strip_prefix(key))?;
            value.strip_prefix(':')?.parse().ok()
        };
        Some(Field { name, offset: number("offset")?, size: number("size")? })
    }
}

/// A number of 2, 4 or 8 octets of an event, in the machine's own order.
#[must_use]
pub fn number(octets: &[u8], (offset, size): (usize, usize)) -> Option<u64> {
    let field = octets.get(offset..offset.checked_add(size)?)?;
    match *field {
        [a, b] => Some(u16::from_ne_bytes([a, b]).into()),
        [a, b, c, d] => Some(u32::from_ne_bytes([a, b, c, d]).into()),
        _ => Some(u64::from_ne_bytes(field.try_into().ok()?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_read() {
        let layout = Layout::read(
            "name: inet_sock_set_state\nID: 2287\nformat:\n\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n\tfield:const void * skaddr;\toffset:8;\tsize:8;\tsigned:0;\n\tfield:__u8 saddr_v6[16];\toffset:40;\tsize:16;\tsigned:0;\n\nprint fmt: \"x\"\n",
        );
        assert_eq!(layout.field("common_pid"), Some((4, 4)));
        assert_eq!(layout.field("skaddr"), Some((8, 8)));
        assert_eq!(layout.field("saddr_v6"), Some((40, 16)));
        assert_eq!((layout.field("sport"), layout.size()), (None, 56));
        for odd in ["field:;", "field:int a; offset:x; size:4;", "field:int a", ""] {
            assert_eq!(Layout::read(odd), Layout::default(), "{odd}");
        }
    }

    #[test]
    fn numbers_are_the_machines() {
        let octets = [1u64.to_ne_bytes(), u64::MAX.to_ne_bytes()].concat();
        assert_eq!(number(&octets, (0, 8)), Some(1));
        assert_eq!(number(&octets, (8, 2)), Some(0xffff));
        assert_eq!(number(&octets, (12, 4)), Some(0xffff_ffff));
        assert_eq!(number(&octets, (12, 8)), None);
        assert_eq!(number(&octets, (0, 3)), None);
        assert_eq!(number(&octets, (usize::MAX, 8)), None);
    }
}
