"""The gateway: where suppliers, warehouses and carriers send events over HTTP, and are told what became of them."""
