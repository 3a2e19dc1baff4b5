// SPDX-License-Identifier: Apache-2.0
/* Linked with one folder whole and only the folders its line in LAYERS names: a call upward does not link. */
int main(void) {
        return 0;
}
