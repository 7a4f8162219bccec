//! How much memory a play takes: an allocator that counts for the threads that take part in one.
//!
//! Each stage has an account of its own, so that plays can run side by side. Threads that joined none, such as those of the
//! servers, are not counted.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicIsize, Ordering};

/// Plays that run side by side.
pub const STAGES: usize = 8;

struct Account {
    now: AtomicIsize,
    most: AtomicIsize,
}

static ACCOUNTS: [Account; STAGES] =
    [const { Account { now: AtomicIsize::new(0), most: AtomicIsize::new(0) } }; STAGES];

thread_local! {
    static STAGE: Cell<Option<usize>> = const { Cell::new(None) };
}

/// The system's allocator, with an account.
pub struct Counting;

fn count(bytes: isize) {
    if let Ok(Some(stage)) = STAGE.try_with(Cell::get) {
        let Account { now, most } = &ACCOUNTS[stage];
        most.fetch_max(now.fetch_add(bytes, Ordering::Relaxed) + bytes, Ordering::Relaxed);
    }
}

// SAFETY: what is allocated and how is the system allocator's business; this counts beside it, without allocating.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promises are handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller's promises are handed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promises are handed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        // SAFETY: the caller's promises are handed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Has what this thread allocates from now on counted for a stage.
pub fn join(stage: usize) {
    STAGE.set(Some(stage));
}

/// The stage that this thread plays on.
pub fn stage() -> Option<usize> {
    STAGE.get()
}

/// Begins the account of a stage anew.
pub fn begin(stage: usize) {
    ACCOUNTS[stage].now.store(0, Ordering::Relaxed);
    ACCOUNTS[stage].most.store(0, Ordering::Relaxed);
}

/// The most that was held at a time since the stage's beginning, in bytes.
pub fn most(stage: usize) -> isize {
    ACCOUNTS[stage].most.load(Ordering::Relaxed)
}
