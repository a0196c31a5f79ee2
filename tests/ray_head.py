"""A cluster of one machine, for tests of ``--address``: says where it is, lasts until stdin ends.

    python ray_head.py FOLDER CORES

The folder must have a short path: sockets lie in it.
"""

import sys

import ray


def main() -> None:
    ray.init(
        num_cpus=int(sys.argv[2]),
        include_dashboard=False,
        log_to_driver=False,
        configure_logging=False,
        object_store_memory=100_000_000,
        _temp_dir=sys.argv[1],
        _node_ip_address="127.0.0.1",
    )
    print(ray.get_runtime_context().gcs_address, flush=True)
    sys.stdin.read()
    ray.shutdown()


if __name__ == "__main__":
    main()
