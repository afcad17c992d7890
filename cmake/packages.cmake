# The tarball, the .deb and the .rpm: `cpack -G TGZ|DEB|RPM -B DIR` in the build folder. DEB needs dpkg-shlibdeps
# (dpkg-dev), RPM rpmbuild (rpm). `cpack --config CPackJava.cmake -G DEB|RPM -B DIR` makes the package penstock-java.
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
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "kcat, penstock-java")
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

# penstock-java: the jar alone, for every architecture. It brings a JRE. Jar and program are of one version: they share memory.
string(REPLACE "-" "_" rpm_version ${PS_VERSION}) # as CPack does
if(PS_JAVA_JAR)
  file(WRITE ${CMAKE_BINARY_DIR}/CPackJava.cmake "include(\"${CMAKE_BINARY_DIR}/CPackConfig.cmake\")
set(CPACK_PACKAGE_NAME penstock-java)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY \"Runs Java classes of Flume's users in penstock\")
set(CPACK_PACKAGE_DESCRIPTION \"The process in which penstock runs sources, sinks, interceptors and the like that are Java classes.
Flume's own jars are not part of it: FLUME_HOME says where they are.\")
set(CPACK_INSTALL_CMAKE_PROJECTS \"${CMAKE_BINARY_DIR};penstock;java;/\")
set(CPACK_PACKAGING_INSTALL_PREFIX \"/\")
set(CPACK_PROJECT_CONFIG_FILE)
set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE all)
set(CPACK_DEBIAN_PACKAGE_DEPENDS \"penstock (= ${PS_VERSION}), default-jre-headless | java8-runtime-headless\")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS OFF)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS OFF)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA)
set(CPACK_RPM_PACKAGE_ARCHITECTURE noarch)
set(CPACK_RPM_PACKAGE_REQUIRES \"penstock = ${rpm_version}, java-headless >= 1:1.8.0\")
set(CPACK_RPM_PACKAGE_REQUIRES_PRE)
foreach(when PRE_INSTALL POST_INSTALL PRE_UNINSTALL POST_UNINSTALL)
  set(CPACK_RPM_\${when}_SCRIPT_FILE)
endforeach()
set(CPACK_RPM_USER_FILELIST)
set(CPACK_RPM_EXCLUDE_FROM_AUTO_FILELIST_ADDITION /usr /usr/lib /usr/lib/penstock /usr/share /usr/share/doc)
")
endif()
