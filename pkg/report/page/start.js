
document.querySelector("main").hidden = false;
showHead();
showPlots();
showRows();
showView();
