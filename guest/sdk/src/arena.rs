//! Where a component's small things live: a piece of memory that is there from the start, handed out in a row.
//!
//! A component lives for one run and asks for a few thousand small things. The standard allocator grows the memory for
//! the first of them, which costs a host that runs many more than the things themselves: the system has to map the new
//! pages, and to take them away again. What is large, and what comes when the piece is used up, is the standard
//! allocator's, so that big documents are given back as ever.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, UnsafeCell};

/// Enough for what the bundled frontends need to answer for an image of some platforms.
const SIZE: usize = 128 << 10;
/// Larger things are not small.
const SMALL: usize = 8 << 10;

#[cfg(target_family = "wasm")]
#[global_allocator]
static ARENA: Arena = Arena::new();

/// As aligned as anything small wants to be.
#[repr(align(16))]
struct Space(UnsafeCell<[u8; SIZE]>);

struct Arena {
    space: Space,
    /// The first byte that is free.
    next: Cell<usize>,
}

// SAFETY: a component has one thread, as this target has no others.
#[cfg(target_family = "wasm")]
unsafe impl Sync for Arena {}

impl Arena {
    const fn new() -> Self {
        Arena { space: Space(UnsafeCell::new([0; SIZE])), next: Cell::new(0) }
    }

    /// Where `pointer` is in the space, if it is there.
    fn position(&self, pointer: *mut u8) -> Option<usize> {
        let position = (pointer as usize).wrapping_sub(self.space.0.get() as usize);
        (position < SIZE).then_some(position)
    }

    fn take(&self, layout: Layout) -> Option<*mut u8> {
        if layout.size() > SMALL || layout.align() > align_of::<Space>() {
            return None;
        }
        let start = self.next.get().next_multiple_of(layout.align());
        let end = start + layout.size();
        if end > SIZE {
            return None;
        }
        self.next.set(end);
        Some(self.space.0.get().cast::<u8>().wrapping_add(start))
    }
}

// SAFETY: what is taken lies in the space, is aligned, and overlaps nothing else that is taken: `next` only goes back over
// the last thing, when that is given back. Everything else is the standard allocator's, in and out.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match self.take(layout) {
            Some(pointer) => pointer,
            // SAFETY: the caller's promise.
            None => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        match self.position(pointer) {
            Some(start) if start + layout.size() == self.next.get() => self.next.set(start),
            Some(_) => {}
            // SAFETY: it is not ours, so it is the standard allocator's.
            None => unsafe { System.dealloc(pointer, layout) },
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Some(start) = self.position(pointer) else {
            // SAFETY: it is not ours, so it is the standard allocator's.
            return unsafe { System.realloc(pointer, layout, size) };
        };
        // The last thing grows and shrinks where it is.
        if start + layout.size() == self.next.get() && size <= SMALL && start + size <= SIZE {
            self.next.set(start + size);
            return pointer;
        }
        if size <= layout.size() {
            return pointer;
        }
        // SAFETY: the caller promises that `size` is one for this alignment; both pieces are at least as long as what is
        // copied, and a new one overlaps no old one.
        unsafe {
            let moved = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !moved.is_null() {
                std::ptr::copy_nonoverlapping(pointer, moved, layout.size());
                self.dealloc(pointer, layout);
            }
            moved
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pieces of all sizes, grown, shrunk and given back in any order, keep what was written to them.
    #[test]
    fn nothing_is_handed_out_twice() {
        let arena = Box::new(Arena::new());
        let mut pieces: Vec<(*mut u8, Layout, u8)> = Vec::new();
        let mut random = 1_u64;
        let mut below = |most: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) as usize % most
        };
        for step in 0..20_000 {
            let mark = step as u8;
            let most = [16, 300, 2 * SMALL][below(3)];
            let size = 1 + below(most);
            // SAFETY: every piece is used as the layout that it was asked for with, and given back once.
            unsafe {
                match below(5) {
                    0 | 1 => {
                        let layout = Layout::from_size_align(size, 1 << below(6)).unwrap();
                        let pointer = arena.alloc(layout);
                        assert!(!pointer.is_null() && (pointer as usize).is_multiple_of(layout.align()));
                        pointer.write_bytes(mark, size);
                        pieces.push((pointer, layout, mark));
                    }
                    2 if !pieces.is_empty() => {
                        let at = below(pieces.len());
                        let (pointer, layout, mark) = pieces[at];
                        let moved = arena.realloc(pointer, layout, size);
                        check(moved, size.min(layout.size()), mark);
                        moved.write_bytes(mark, size);
                        pieces[at] = (moved, Layout::from_size_align(size, layout.align()).unwrap(), mark);
                    }
                    _ if !pieces.is_empty() => {
                        let last = pieces.len() - 1;
                        let at = if below(2) == 0 { last } else { below(pieces.len()) };
                        let (pointer, layout, mark) = pieces.swap_remove(at);
                        check(pointer, layout.size(), mark);
                        arena.dealloc(pointer, layout);
                    }
                    _ => {}
                }
            }
        }
        for (pointer, layout, mark) in pieces {
            check(pointer, layout.size(), mark);
            // SAFETY: as above.
            unsafe { arena.dealloc(pointer, layout) };
        }
    }

    fn check(pointer: *const u8, size: usize, mark: u8) {
        // SAFETY: the piece is that long, and was written to.
        let bytes = unsafe { std::slice::from_raw_parts(pointer, size) };
        assert!(bytes.iter().all(|&byte| byte == mark));
    }
}
