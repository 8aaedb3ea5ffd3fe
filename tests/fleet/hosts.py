"""Captures of a made-up fleet, whose answers are known. hosts.py DIR

Two hosts behind one balancer, app-1 and app-2, for two days; each rotates its capture every minute.
* On both days app-1 forgets one connection to 10.9.0.7:6379, closed after 9 s: nothing new on the second.
* On the second day, at 03:59:20, both are restarted: their pools open 60 connections to 172.18.0.3:3306 each,
  which the other side closes after 60 s, idle to a few milliseconds. None is closed here.
* Ordinary connections close at once; one in fifty holds CLOSE-WAIT for 2 s first.
* db-1 has seen the half of app-1's restart that its link carried.
"""

import os
import random
import struct
import sys

DAY = 86_400
FIRST = 1_795_651_200  # 2026-11-26 00:00:00 UTC
FIN, SYN, PSH, ACK = 1, 2, 8, 16


def address(text):
    return bytes(map(int, text.split(".")))


def packet(source, destination, flags, seq, ack, octets=0):
    (source, sport), (destination, dport) = source, destination
    tcp = struct.pack(">HHIIBBHHH", sport, dport, seq, ack, 0x50, flags, 502, 0, 0) + b"x" * octets
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0x4000, 64, 6, 0, address(source), address(destination))
    return b"\0" * 12 + b"\x08\0" + ip + tcp


def connection(dice, start, local, peer, used, idle, holds):
    """Packets of one, closed by the peer; `holds`: seconds until local closes, or None."""
    a, b = dice.getrandbits(31), dice.getrandbits(31)
    end = start + used + 0.001 + idle
    yield start, packet(local, peer, SYN, a, 0)
    yield start + 0.0003, packet(peer, local, SYN | ACK, b, a + 1)
    yield start + 0.0004, packet(local, peer, ACK, a + 1, b + 1)
    yield start + used, packet(local, peer, PSH | ACK, a + 1, b + 1, 100)
    yield start + used + 0.001, packet(peer, local, PSH | ACK, b + 1, a + 101, 100)
    yield start + used + 0.002, packet(local, peer, ACK, a + 101, b + 101)
    yield end, packet(peer, local, FIN | ACK, b + 101, a + 101)
    yield end + 0.0002, packet(local, peer, ACK, a + 101, b + 102)
    if holds is not None:
        yield end + holds, packet(local, peer, FIN | ACK, a + 101, b + 102)
        yield end + holds + 0.0003, packet(peer, local, ACK, b + 102, a + 102)


def host(day, name, ip, late):
    """All packets of a host's day, and those of them that db-1 has seen."""
    dice = random.Random(f"{day} {name}")
    midnight = FIRST + day * DAY
    packets, elsewhere = [], []
    mysql, redis = ("172.18.0.3", 3306), ("10.9.0.7", 6379)
    for n in range(200):
        start = midnight + 12_600 + n * 9 + dice.random()
        holds = 2.0 if n % 50 == 7 else 0.01
        packets += connection(dice, start, (ip, 20_000 + n), mysql, 0.01, dice.uniform(0.1, 20), holds)
    if name == "app-1":
        packets += connection(dice, midnight + 14_000, (ip, 50_000), redis, 0.1, 9.0, None)
    if day == 1:
        for n in range(60):
            start = midnight + 14_360 + late + n * 0.2
            of_it = list(connection(dice, start, (ip, 40_000 + n), mysql, 0.5, 60 + dice.uniform(0, 0.004), None))
            packets += of_it
            if name == "app-1" and n < 30:
                elsewhere += of_it
    return packets, elsewhere


def write(folder, packets):
    os.makedirs(folder, exist_ok=True)
    files = {}
    for time, data in sorted(packets, key=lambda packet: packet[0]):
        minute = int(time // 60) % 1_440
        if minute not in files:
            files[minute] = open(f"{folder}/cap-{minute // 60:02}{minute % 60:02}.pcap", "wb")
            files[minute].write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1))
        micros = round(time * 1e6)
        files[minute].write(struct.pack("<IIII", micros // 10**6, micros % 10**6, len(data), len(data)) + data)
    for file in files.values():
        file.close()


def main(folder):
    for day in (0, 1):
        seen_by_db = []
        for name, ip, late in (("app-1", "172.18.0.5", 0.0), ("app-2", "172.18.0.6", 0.8)):
            packets, elsewhere = host(day, name, ip, late)
            write(f"{folder}/day-{day + 1}/point={name}-eth0", packets)
            seen_by_db += elsewhere
        if seen_by_db:
            write(f"{folder}/day-{day + 1}/point=db-1-eth0", seen_by_db)


if __name__ == "__main__":
    main(sys.argv[1])
