; Inno Setup 6: the installer for Windows. `dev.py build` calls it with the version and the name.
;
;     iscc /DVersion=0.1.0 /DStem=onlooker-0.1.0-windows-x86_64-cpu packaging\windows\onlooker.iss
;
; Installs for this user alone and asks for no administrator, unless the user wants it for all.

#ifndef Version
  #error Version is missing: call this through "dev.py build"
#endif
#ifndef Stem
  #define Stem "onlooker-setup"
#endif

[Setup]
AppId={{6E1E0C53-6B0C-4C55-9C0D-2B8F1E5D8A47}
AppName=Onlooker
AppVersion={#Version}
AppVerName=Onlooker {#Version}
AppPublisher=The Onlooker project
DefaultDirName={autopf}\Onlooker
DefaultGroupName=Onlooker
DisableProgramGroupPage=yes
PrivilegesRequired=lowest
PrivilegesRequiredOverridesAllowed=dialog
ArchitecturesAllowed=x64compatible
ArchitecturesInstallIn64BitMode=x64compatible
MinVersion=10.0.17763
ChangesAssociations=yes
CloseApplications=yes
LicenseFile=..\..\LICENSE
OutputDir=..\..\dist
OutputBaseFilename={#Stem}-setup
Compression=lzma2/max
SolidCompression=yes
#ifdef Large
; With CUDA: an installer of one file may have 2 GB.
DiskSpanning=yes
DiskSliceSize=1900000000
#endif
LZMANumBlockThreads=4
WizardStyle=modern
SetupIconFile=..\..\build\onlooker\onlooker.ico
UninstallDisplayIcon={app}\onlooker.exe

[Languages]
Name: "en"; MessagesFile: "compiler:Default.isl"
Name: "de"; MessagesFile: "compiler:Languages\German.isl"

[Tasks]
Name: "desktopicon"; Description: "{cm:CreateDesktopIcon}"; GroupDescription: "{cm:AdditionalIcons}"; Flags: unchecked

[InstallDelete]
; What an older version had and this one has not would be found and loaded.
Type: filesandordirs; Name: "{app}\_internal"

[Files]
Source: "..\..\dist\onlooker\*"; DestDir: "{app}"; Flags: ignoreversion recursesubdirs createallsubdirs

[Icons]
Name: "{group}\Onlooker"; Filename: "{app}\onlooker.exe"
Name: "{autodesktop}\Onlooker"; Filename: "{app}\onlooker.exe"; Tasks: desktopicon

[Registry]
; "Open with": Onlooker is offered for images, and stays no default.
Root: HKA; Subkey: "Software\Classes\Applications\onlooker.exe"; ValueType: string; ValueName: "FriendlyAppName"; ValueData: "Onlooker"; Flags: uninsdeletekey
Root: HKA; Subkey: "Software\Classes\Applications\onlooker.exe\shell\open\command"; ValueType: string; ValueData: """{app}\onlooker.exe"" ""%1"""
Root: HKA; Subkey: "Software\Classes\Applications\onlooker.exe\SupportedTypes"; ValueType: string; ValueName: ".jpg"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\Applications\onlooker.exe\SupportedTypes"; ValueType: string; ValueName: ".jpeg"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\Applications\onlooker.exe\SupportedTypes"; ValueType: string; ValueName: ".jpe"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\Applications\onlooker.exe\SupportedTypes"; ValueType: string; ValueName: ".jfif"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\Applications\onlooker.exe\SupportedTypes"; ValueType: string; ValueName: ".png"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\Applications\onlooker.exe\SupportedTypes"; ValueType: string; ValueName: ".apng"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\Applications\onlooker.exe\SupportedTypes"; ValueType: string; ValueName: ".webp"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\Applications\onlooker.exe\SupportedTypes"; ValueType: string; ValueName: ".gif"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\Applications\onlooker.exe\SupportedTypes"; ValueType: string; ValueName: ".bmp"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\Applications\onlooker.exe\SupportedTypes"; ValueType: string; ValueName: ".dib"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\Applications\onlooker.exe\SupportedTypes"; ValueType: string; ValueName: ".tif"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\Applications\onlooker.exe\SupportedTypes"; ValueType: string; ValueName: ".tiff"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\Applications\onlooker.exe\SupportedTypes"; ValueType: string; ValueName: ".avif"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\Applications\onlooker.exe\SupportedTypes"; ValueType: string; ValueName: ".heic"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\Applications\onlooker.exe\SupportedTypes"; ValueType: string; ValueName: ".heif"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\Applications\onlooker.exe\SupportedTypes"; ValueType: string; ValueName: ".hif"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\Applications\onlooker.exe\SupportedTypes"; ValueType: string; ValueName: ".ico"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\Applications\onlooker.exe\SupportedTypes"; ValueType: string; ValueName: ".ppm"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\Applications\onlooker.exe\SupportedTypes"; ValueType: string; ValueName: ".pgm"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\Applications\onlooker.exe\SupportedTypes"; ValueType: string; ValueName: ".pbm"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\Applications\onlooker.exe\SupportedTypes"; ValueType: string; ValueName: ".pnm"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\Applications\onlooker.exe\SupportedTypes"; ValueType: string; ValueName: ".pfm"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\Applications\onlooker.exe\SupportedTypes"; ValueType: string; ValueName: ".jp2"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\Applications\onlooker.exe\SupportedTypes"; ValueType: string; ValueName: ".j2k"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\Applications\onlooker.exe\SupportedTypes"; ValueType: string; ValueName: ".jpf"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\Applications\onlooker.exe\SupportedTypes"; ValueType: string; ValueName: ".jpx"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\Applications\onlooker.exe\SupportedTypes"; ValueType: string; ValueName: ".j2c"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\Applications\onlooker.exe\SupportedTypes"; ValueType: string; ValueName: ".tga"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\Applications\onlooker.exe\SupportedTypes"; ValueType: string; ValueName: ".psd"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\Applications\onlooker.exe\SupportedTypes"; ValueType: string; ValueName: ".cr2"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\Applications\onlooker.exe\SupportedTypes"; ValueType: string; ValueName: ".cr3"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\Applications\onlooker.exe\SupportedTypes"; ValueType: string; ValueName: ".nef"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\Applications\onlooker.exe\SupportedTypes"; ValueType: string; ValueName: ".nrw"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\Applications\onlooker.exe\SupportedTypes"; ValueType: string; ValueName: ".arw"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\Applications\onlooker.exe\SupportedTypes"; ValueType: string; ValueName: ".dng"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\Applications\onlooker.exe\SupportedTypes"; ValueType: string; ValueName: ".pef"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\Applications\onlooker.exe\SupportedTypes"; ValueType: string; ValueName: ".orf"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\Applications\onlooker.exe\SupportedTypes"; ValueType: string; ValueName: ".rw2"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\Applications\onlooker.exe\SupportedTypes"; ValueType: string; ValueName: ".raf"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\Applications\onlooker.exe\SupportedTypes"; ValueType: string; ValueName: ".srw"; ValueData: ""

[Run]
Filename: "{app}\onlooker.exe"; Description: "{cm:LaunchProgram,Onlooker}"; Flags: nowait postinstall skipifsilent
