//! Opaque texts: nobody should read in them where a list goes on.

/// A text that does not show what it says.
pub(super) fn opaque(text: &str) -> String {
    text.bytes().map(|byte| format!("{:02x}", byte ^ 0x55)).collect()
}

/// What an opaque text says; `None` if it is none of ours.
pub(super) fn plain(token: &str) -> Option<String> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok().map(|byte| byte ^ 0x55);
    if !token.len().is_multiple_of(2) {
        return None;
    }
    String::from_utf8(token.as_bytes().chunks(2).map(byte).collect::<Option<_>>()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_lead_back_to_their_text() {
        assert_eq!(plain(&opaque("us_indices/é")).as_deref(), Some("us_indices/é"));
        for wrong in ["abc", "zz", "é1"] {
            assert_eq!(plain(wrong), None, "{wrong}");
        }
    }
}
