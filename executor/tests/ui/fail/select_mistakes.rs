//! Arms that are nearly right: what is wrong is named where it stands, with what to write in its place.

use gopark::chan;

fn main() {
    let (tx, rx) = chan::bounded::<u8>(1);
    let later = std::time::Duration::from_secs(1);

    // A pattern that may not match, and nothing that says what then.
    gopark::select_blocking! {
        Ok(value) = rx.recv() => drop(value),
    }
    gopark::select_blocking! {
        Ok(value) = rx.recv() => drop(value),
        _ = chan::after(later), if tx.is_empty() => (),
    }

    // The condition without its comma.
    gopark::select_blocking! {
        _ = rx.recv() if tx.is_empty() => (),
    }

    // No comma, and a semicolon, after a body that is no block.
    gopark::select_blocking! {
        _ = rx.recv() => drop(1)
        _ = tx.send(1) => (),
    }
    gopark::select_blocking! {
        _ = rx.recv() => drop(1);
        _ = tx.send(1) => (),
    }

    // The forms of other selects.
    gopark::select_blocking! {
        recv(rx) -> message => drop(message),
    }
    gopark::select_blocking! {
        rx.recv() => (),
    }
    gopark::select_blocking! {
        _ = rx.recv() => (),
        default(later) => (),
    }
    gopark::select_blocking! {
        _ = rx.recv() => (),
        _ => (),
    }

    // `biased` in the wrong dress, and in the wrong place.
    gopark::select_blocking! {
        biased,
        _ = rx.recv() => (),
    }
    gopark::select_blocking! {
        _ = rx.recv() => (),
        biased;
        _ = tx.send(1) => (),
    }

    // Two ways out, or a way out with a condition.
    gopark::select_blocking! {
        Ok(_) = rx.recv() => (),
        default => (),
        else => (),
    }
    gopark::select_blocking! {
        Ok(_) = rx.recv() => (),
        else, if tx.is_empty() => (),
    }
    gopark::select_blocking! {
        Ok(_) = rx.recv() => (),
        default, if tx.is_empty() => (),
    }
    gopark::select_blocking! {
        Ok(_) = rx.recv() => (),
        else => (),
        else => (),
    }
    gopark::select_blocking! {
        _ = rx.recv(), if => (),
    }
}
