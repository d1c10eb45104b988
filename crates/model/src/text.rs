//! Text that somebody else has written.

/// Whether a character does something other than stand where it is printed: it moves the cursor,
/// reorders text, or hides it. A tool's message can hold an app's own bytes, and a server's those of a
/// stranger.
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}
