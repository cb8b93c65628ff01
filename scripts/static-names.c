/*
 * Linked into the static release binary alone.
 *
 * glibc looks up names of hosts and users through modules that /etc/nsswitch.conf names, such as `myhostname` and
 * `resolve` on Fedora or `systemd` on Debian. A static program that loads one crashes: the module brings the machine's
 * own libc with it. `files` (/etc/hosts, /etc/passwd) and `dns` (/etc/resolv.conf) are built in, so they are all that
 * this program uses, whatever the machine's configuration says.
 *
 * Source: glibc <nss.h>, __nss_configure_lookup; seen with glibc 2.36 and libnss_myhostname: SIGSEGV in getaddrinfo.
 */
#include <nss.h>

__attribute__((constructor)) static void use_built_in_name_services(void)
{
	__nss_configure_lookup("hosts", "files dns");
	__nss_configure_lookup("passwd", "files");
	__nss_configure_lookup("group", "files");
	__nss_configure_lookup("services", "files");
	__nss_configure_lookup("networks", "files");
	__nss_configure_lookup("protocols", "files");
}
