# Google Cloud's services that the pipeline uses. They stay enabled when this is destroyed: others in
# the project may need them.
locals {
  services = toset([
    "aiplatform.googleapis.com",
    "artifactregistry.googleapis.com",
    "compute.googleapis.com",
    "dataflow.googleapis.com",
    "iam.googleapis.com",
    "iamcredentials.googleapis.com",
    "logging.googleapis.com",
    "storage.googleapis.com",
    "sts.googleapis.com",
  ])
}

resource "google_project_service" "used" {
  for_each = local.services

  project            = var.project
  service            = each.key
  disable_on_destroy = false
}
