// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "mem.h"
#include "served.h"

#define UUID "01234567-89ab-cdef-0123-456789abcdef"

static struct served_disk disk_of(const char *name) {
        struct served_disk disk = {.name = name};

        assert_true(uuid_parse(UUID, &disk.uuid));
        return disk;
}

/* want: URIs with blanks between them. */
static void assert_uris(const struct served *served, const char *name, const char *want) {
        struct served_disk disk = disk_of(name);
        AUTO(buf_fini) struct buf all = {0};
        json_t *uris = served_uris(served, &disk), *each;
        size_t i;

        json_array_foreach(uris, i, each) buf_print(&all, "%s%s", i ? " " : "", json_string_value(each));
        assert_string_equal(buf_text(&all), want);
        json_decref(uris);
}

static void each_way_has_its_uri_by_uuid_and_by_name(void **state) {
        const char *const tcp[] = {"127.0.0.1:10809", "[::1]:7"};
        const struct served both = {.unix_path = "/run/it", .tcp = tcp, .n_tcp = 1, .knows_names = true};
        struct served one = both;

        (void)state;
        assert_uris(&both, "web",
                    "nbd+unix:///" UUID "?socket=/run/it nbd://127.0.0.1:10809/" UUID
                    " nbd+unix:///web?socket=/run/it nbd://127.0.0.1:10809/web");
        one.n_tcp = 2;
        assert_uris(&one, NULL,
                    "nbd+unix:///" UUID "?socket=/run/it nbd://127.0.0.1:10809/" UUID " nbd://[::1]:7/" UUID);
        one.n_tcp = 0;
        assert_uris(&one, NULL, "nbd+unix:///" UUID "?socket=/run/it");
        one.knows_names = false;
        assert_uris(&one, "web", "nbd+unix:///" UUID "?socket=/run/it");
}

static void a_name_that_would_have_to_be_escaped_is_not_told(void **state) {
        const struct served served = {.unix_path = "/s", .knows_names = true};
        const char *const names[] = {"", "a b", "a/b", "ä", "a?b", "a,b", "a%20", "a\"b"};

        (void)state;
        for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
                assert_uris(&served, names[i], "nbd+unix:///" UUID "?socket=/s");
        assert_uris(&served, "A-z.0_9~", "nbd+unix:///" UUID "?socket=/s nbd+unix:///A-z.0_9~?socket=/s");
}

static void a_path_is_escaped_and_stays_a_path(void **state) {
        const struct served served = {.unix_path = "/a b/c&d,\"$`%é"};
        struct served_disk disk = disk_of(NULL);
        AUTO_FREE char *qemu = served_qemu(&served, &disk), *libvirt = served_libvirt(&served, &disk);

        (void)state;
        assert_uris(&served, NULL, "nbd+unix:///" UUID "?socket=/a%20b/c%26d%2C%22%24%60%25%C3%A9");
        assert_string_equal(qemu, "qemu-system-x86_64 -drive \"file=nbd+unix:///" UUID
                                  "?socket=/a%20b/c%26d%2C%22%24%60%25%C3%A9,format=raw,if=virtio,"
                                  "discard=unmap\"");
        assert_non_null(strstr(libvirt, "<host transport='unix' socket='/a b/c&#38;d,&#34;$`%é'/>"));
}

static void tls_that_is_offered_or_required_shows(void **state) {
        const char *const tcp = "[::1]:7";
        struct served served = {.tcp = &tcp, .n_tcp = 1, .tls = SERVED_X509};
        struct served_disk disk = disk_of(NULL);
        AUTO_FREE char *offered = served_qemu(&served, &disk), *required = NULL, *psk = NULL, *libvirt = NULL;

        (void)state;
        assert_uris(&served, NULL, "nbd://[::1]:7/" UUID " nbds://[::1]:7/" UUID);
        assert_non_null(strstr(offered, "file=nbd://[::1]:7/"));
        served.requires_tls = true;
        assert_uris(&served, NULL, "nbds://[::1]:7/" UUID);
        required = served_qemu(&served, &disk);
        assert_string_equal(required,
                            "qemu-system-x86_64 -object tls-creds-x509,id=tls0,endpoint=client,dir=DIR "
                            "-drive \"file.driver=nbd,file.server.type=inet,file.server.host=::1,"
                            "file.server.port=7,file.export=" UUID
                            ",file.tls-creds=tls0,format=raw,if=virtio,discard=unmap\"");
        libvirt = served_libvirt(&served, &disk);
        assert_non_null(strstr(libvirt, "<source protocol='nbd' name='" UUID "' tls='yes'>\n"
                                        "    <host name='::1' port='7'/>"));
        served.unix_path = "/a,b\"c";
        served.tls = SERVED_PSK;
        psk = served_qemu(&served, &disk);
        assert_non_null(strstr(psk, "tls-creds-psk,id=tls0,endpoint=client,dir=DIR,username=NAME "));
        assert_non_null(strstr(psk, "file.server.path=/a,,b\\\"c,file.export="));
        assert_uris(&served, NULL, "nbds+unix:///" UUID "?socket=/a%2Cb%22c nbds://[::1]:7/" UUID);
}

static void all_addresses_of_a_host_are_its_name(void **state) {
        const char *const all[] = {"0.0.0.0:1", "[::]:1"};

        (void)state;
        for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
                struct served served = {.tcp = &all[i], .n_tcp = 1, .host = "alpha"};

                assert_uris(&served, NULL, "nbd://alpha:1/" UUID);
                served.host = "";
                assert_uris(&served, NULL, "nbd://localhost:1/" UUID);
        }
}

static void what_cannot_be_written_is_given_read_only(void **state) {
        struct served_disk disk = disk_of(NULL), other = {0};
        const struct served served = {.unix_path = "/s"}, all = {.is_read_only = true},
                            some = {.read_only = &disk.uuid, .n_read_only = 1};
        AUTO_FREE char *qemu = NULL, *libvirt = NULL;

        (void)state;
        assert_false(served_forbids_writing(&served, &disk.uuid));
        assert_true(served_forbids_writing(&all, &disk.uuid));
        assert_true(served_forbids_writing(&some, &disk.uuid));
        assert_false(served_forbids_writing(&some, &other.uuid));
        disk.is_read_only = true;
        qemu = served_qemu(&served, &disk);
        libvirt = served_libvirt(&served, &disk);
        assert_non_null(strstr(qemu, ",if=virtio,readonly=on\""));
        assert_string_equal(libvirt, "<disk type='network' device='disk'>\n"
                                     "  <driver name='qemu' type='raw'/>\n"
                                     "  <source protocol='nbd' name='" UUID "'>\n"
                                     "    <host transport='unix' socket='/s'/>\n"
                                     "  </source>\n"
                                     "  <target dev='vda' bus='virtio'/>\n"
                                     "  <readonly/>\n"
                                     "</disk>");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_way_has_its_uri_by_uuid_and_by_name),
                cmocka_unit_test(a_name_that_would_have_to_be_escaped_is_not_told),
                cmocka_unit_test(a_path_is_escaped_and_stays_a_path),
                cmocka_unit_test(tls_that_is_offered_or_required_shows),
                cmocka_unit_test(all_addresses_of_a_host_are_its_name),
                cmocka_unit_test(what_cannot_be_written_is_given_read_only),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
