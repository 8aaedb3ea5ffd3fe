"""leak.py PORT: a client on loopback whose server closes after a second, and that never closes itself. It is held until
somebody ends this."""

import socket
import sys
import time

listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
client = socket.create_connection(listener.getsockname())
server, _ = listener.accept()
client.sendall(b"hello")
# What is closed with something unread is reset.
server.recv(5)
time.sleep(1)
server.close()
time.sleep(600)
