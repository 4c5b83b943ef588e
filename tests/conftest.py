from tests.support import properties, sockets

properties.load()
sockets.load()
