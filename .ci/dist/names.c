/* Appended to libpcap's pcap.c, which is always linked. The C library would look users, hosts and ports up by the
 * host's own modules, as nsswitch.conf names them; a static program that loads one of another C library crashes.
 * These two are in the binary. */
#include <nss.h>

__attribute__((constructor)) static void
names_without_modules(void)
{
	static const char *const databases[] = {
		"passwd", "group", "initgroups", "services", "protocols", "networks", "ethers",
	};
	for (size_t i = 0; i < sizeof databases / sizeof *databases; i++)
		__nss_configure_lookup(databases[i], "files");
	__nss_configure_lookup("hosts", "files dns");
}
