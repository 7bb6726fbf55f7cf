from core.checkpoint.loading import host_cache_release


def test_torch_still_frees_the_pinned_memory_that_it_caches():
    assert host_cache_release(), "torch has renamed empty_host_cache: memory stays pinned"
