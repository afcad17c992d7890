# The tarball, the .deb and the .rpm: `cpack -G TGZ|DEB|RPM -B DIR` in the build folder. DEB needs dpkg-shlibdeps
# (dpkg-dev), RPM rpmbuild (rpm).
string(TOLOWER "${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR}" system)
set(scripts ${CMAKE_SOURCE_DIR}/cmake/packaging)
set(CPACK_GENERATOR TGZ)
set(CPACK_PACKAGE_NAME penstock)
set(CPACK_PACKAGE_VENDOR penstock)
set(CPACK_PACKAGE_CONTACT "penstock maintainers <maintainers@penstock.invalid>")
set(CPACK_PACKAGE_VERSION ${PS_VERSION})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Runs Apache Flume agent files and feeds Kafka")
set(CPACK_PACKAGE_DESCRIPTION "A multithreaded pipeline engine that runs Apache Flume agent files, with a load generator,
a verifier of deliveries and a planner of capacity.")
set(CPACK_PACKAGE_FILE_NAME penstock-${PS_VERSION}-${system})
set(CPACK_INCLUDE_TOPLEVEL_DIRECTORY ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_VERBATIM_VARIABLES ON)

# Installed files are read-only for others than root, whatever the umask of whoever builds the package.
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON) # libpenstock-client: ldconfig
set(CPACK_DEBIAN_PACKAGE_DEPENDS "passwd")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "kcat")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${scripts}/deb/conffiles ${scripts}/deb/postinst ${scripts}/deb/prerm ${scripts}/deb/postrm)

set(CPACK_RPM_FILE_NAME RPM-DEFAULT)
set(CPACK_RPM_PACKAGE_LICENSE "Apache-2.0")
set(CPACK_RPM_PACKAGE_GROUP "System Environment/Daemons")
set(CPACK_RPM_PACKAGE_REQUIRES_PRE "shadow-utils")
set(CPACK_RPM_PRE_INSTALL_SCRIPT_FILE ${scripts}/rpm/pre)
set(CPACK_RPM_POST_INSTALL_SCRIPT_FILE ${scripts}/rpm/post)
set(CPACK_RPM_PRE_UNINSTALL_SCRIPT_FILE ${scripts}/rpm/preun)
set(CPACK_RPM_POST_UNINSTALL_SCRIPT_FILE ${scripts}/rpm/postun)
set(CPACK_RPM_USER_FILELIST
  "%config(noreplace) %attr(0640, root, penstock) /etc/penstock/agent.properties"
  "%config(noreplace) /etc/default/penstock")
set(CPACK_RPM_EXCLUDE_FROM_AUTO_FILELIST_ADDITION /etc /etc/default /usr /usr/bin /usr/lib /usr/lib/systemd
  /usr/lib/systemd/system /usr/include /usr/lib/cmake /usr/share/pkgconfig /${system_libraries} /${system_libraries}/pkgconfig /usr/share/man/man3 /usr/lib/sysusers.d /usr/share /usr/share/bash-completion /usr/share/bash-completion/completions
  /usr/share/doc /usr/share/fish /usr/share/fish/vendor_completions.d /usr/share/man /usr/share/man/man1
  /usr/share/man/man7 /usr/share/zsh /usr/share/zsh/vendor-completions)

# Packages have the system's layout.
file(WRITE ${CMAKE_BINARY_DIR}/generated/cpack_layout.cmake "if(CPACK_GENERATOR MATCHES \"^(DEB|RPM)$\")
  set(CPACK_INSTALL_CMAKE_PROJECTS \"${CMAKE_BINARY_DIR};penstock;system;/\")
  set(CPACK_PACKAGING_INSTALL_PREFIX \"/\")
endif()
")
set(CPACK_PROJECT_CONFIG_FILE ${CMAKE_BINARY_DIR}/generated/cpack_layout.cmake)
include(CPack)
