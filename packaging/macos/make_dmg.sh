#!/usr/bin/env bash
# Signs Onlooker.app where an identity is given, and puts it into a disk image.
#
#     packaging/macos/make_dmg.sh dist/Onlooker.app dist/onlooker.dmg
#
# SIGNING_IDENTITY: name of a Developer ID certificate in the keychain; without it the app is
# signed ad hoc, and its first start has to be allowed by hand.
# NOTARY_PROFILE: a profile that `notarytool store-credentials` made; without it Apple is not asked.
# NOTARY_KEYCHAIN: the keychain that has the profile, where that is not the login keychain.
set -euo pipefail

app=$1
image=$2
here=$(cd "$(dirname "$0")" && pwd)
identity=${SIGNING_IDENTITY:--}
hardened=()
if [ "$identity" != "-" ]; then
    hardened=(--options runtime --timestamp)
fi

# From the inside out: each library, then the app around them. The app's own program is signed with
# the app: asked for that file alone, codesign takes the whole app for meant, unsigned parts and all.
find "$app/Contents/Frameworks" "$app/Contents/Resources" -type f \
    \( -name '*.dylib' -o -name '*.so' -o -perm -u+x \) -print0 |
    while IFS= read -r -d '' file; do
        if [[ $(file -b "$file") == *Mach-O* ]]; then
            codesign --force ${hardened[@]+"${hardened[@]}"} --sign "$identity" "$file"
        fi
    done
codesign --force ${hardened[@]+"${hardened[@]}"} --sign "$identity" \
    --entitlements "$here/entitlements.plist" "$app"
codesign --verify --deep --strict "$app"

staging=$(mktemp -d)
trap 'rm -rf "$staging"' EXIT
cp -R "$app" "$staging/"
ln -s /Applications "$staging/Applications"
rm -f "$image"
hdiutil create -volname Onlooker -srcfolder "$staging" -format ULMO -fs HFS+ "$image"

if [ "$identity" != "-" ]; then
    codesign --sign "$identity" --timestamp "$image"
fi
if [ -n "${NOTARY_PROFILE:-}" ]; then
    keychain=()
    if [ -n "${NOTARY_KEYCHAIN:-}" ]; then
        keychain=(--keychain "$NOTARY_KEYCHAIN")
    fi
    xcrun notarytool submit "$image" --keychain-profile "$NOTARY_PROFILE" \
        ${keychain[@]+"${keychain[@]}"} --wait
    xcrun stapler staple "$image"
fi
