//! The setting is the one that is meant: it is there with its default, and stays as it is set.

#[global_allocator]
static ALLOCATOR: allocator::MiMalloc = allocator::MiMalloc;

#[test]
fn the_purge_delay_is_ten_milliseconds_until_it_is_set_to_zero() {
    assert_eq!(allocator::purge_delay_ms(), 10);
    allocator::purge_at_once();
    assert_eq!(allocator::purge_delay_ms(), 0);
}
