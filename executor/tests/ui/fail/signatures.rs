//! Signatures that no runtime can call.

#[gopark::main]
pub async unsafe fn is_unsafe() {}

#[gopark::main]
async extern "C" fn has_an_abi() {}

#[gopark::main]
const async fn is_const() {}

#[gopark::main]
async fn is_generic<T, F: Fn(u8) -> u8>(of: T) -> Option<T> {
    Some(of)
}

#[gopark::main]
async fn has_bounds()
where
    String: Clone,
{
}

fn main() {}
